/**
 * A process that publishes to two topics and consumes them in a group until it is killed. It notes in a file what it found, began and had
 * acknowledged, and says on standard output that something was acknowledged. Arguments: data directory, file of the history, seed.
 */
import { openSync, writeSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import type { ConsumeOptions, NewEvent, Published, StreamEvent } from "@microts/blocks/events";
import { MicroError } from "@microts/core";
import { EmbeddedEvents } from "../../../drivers/embedded/src/events/events.ts";
import { openEmbeddedStore } from "../../../drivers/embedded/src/store.ts";
import { digestOf, type EventsNote, type Noted } from "./events-history.ts";
import { Random } from "./random.ts";

const [dataDir = "", historyFile = "", seed = "0"] = process.argv.slice(2);
const signal = new AbortController().signal;
const topics = ["orders", "clicks"];
const publishers = 16;
/** So many of the last events are noted one by one: more than a round can add. */
const listed = 5_000;

const history = openSync(historyFile, "a");
const store = await openEmbeddedStore({ dataDir });
const events = new EmbeddedEvents({ database: store.database });
for (const topic of topics) await noteFound(topic);
await Promise.all([
  ...Array.from({ length: publishers }, (_, index) => publish(index)),
  ...topics.flatMap((topic) => [consume(topic), consume(topic)]),
]);

async function noteFound(topic: string): Promise<void> {
  const found: Noted[] = [];
  for (let from = 0; ; ) {
    const page = await events.read("acme", topic, { from, until: undefined, limit: 10_000 }, signal);
    if (page.damaged.length > 0) throw new Error(`damaged: ${JSON.stringify(page.damaged)}`);
    for (const event of page.events) {
      if (event.offset !== found.length) throw new Error(`offset ${event.offset} follows ${found.length - 1}`);
      found.push(notedOf(event));
    }
    if (page.next === from) break;
    from = page.next;
  }
  const from = Math.max(0, found.length - listed);
  note({ kind: "found", topic, from, digest: digestOf(found.slice(0, from)), events: found.slice(from) });
}

/** Publishes one event after the other; every third has an id, and some of those are published twice. */
async function publish(index: number): Promise<void> {
  const random = new Random(Number(seed) * publishers + index);
  const who = `${seed}.${index}`;
  for (let turn = 0; ; turn++) {
    const topic = random.pick(topics);
    const payload = Buffer.from(JSON.stringify({ who, turn }).padEnd(random.below(1500)));
    const id = turn % 3 === 0 ? `${who}/${turn}` : undefined;
    const event = { id, timestamp: new Date(), metadata: { who }, payload, expiresAt: undefined };
    note({ kind: "began", topic, who, turn });
    const twice = id !== undefined && random.below(2) === 0 ? 2 : 1;
    const published = await Promise.all(Array.from({ length: twice }, () => patiently(topic, event)));
    if (published.some(({ offset }) => offset !== published[0]?.offset)) throw new Error(`${id} has two offsets`);
    note({ kind: "done", topic, who, turn, offset: published[0]?.offset ?? -1 });
    process.stdout.write(".");
  }
}

/** Again while the disk is full, which has written nothing; after a disk that failed, until it is killed. */
async function patiently(topic: string, event: NewEvent): Promise<Published> {
  for (;;) {
    try {
      return await events.publish("acme", topic, event, signal);
    } catch (error) {
      if (!(error instanceof MicroError) || (error.code !== 507 && error.code !== 503)) throw error;
      await delay(10);
    }
  }
}

async function consume(topic: string): Promise<void> {
  const options: ConsumeOptions = {
    topic,
    group: "crash",
    from: "earliest",
    autoAck: false,
    ackWaitMs: 60_000,
    retryLimit: -1,
    deadLetter: undefined,
    maxUnanswered: 50,
  };
  let turn = 0;
  for await (const { event, ack } of await events.consume("acme", options, signal)) {
    note({ kind: "given", topic, offset: event.offset });
    // One in ten is left unanswered, so that a group is done with events behind one that it isn't.
    if (turn++ % 10 === 9) continue;
    const acked = () => note({ kind: "acked", topic, offset: event.offset });
    ack().then(acked, () => {});
  }
}

function notedOf({ payload, metadata }: StreamEvent): Noted {
  const { who, turn } = JSON.parse(Buffer.from(payload).toString());
  if (metadata["who"] !== who) throw new Error(`the metadata of ${who}/${turn} is altered`);
  return { who, turn };
}

function note(line: EventsNote): void {
  writeSync(history, `${JSON.stringify(line)}\n`);
}
