import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { ConsumeOptions, Delivery, NewEvent, StreamEvent } from "@microts/blocks/events";
import { lineLog } from "@microts/core";
import fc from "fast-check";
import { eventsConformance } from "../../../blocks/src/events/conformance.ts";
import { EventProgress } from "./event-progress.ts";
import { EmbeddedEvents } from "./events.ts";
import { openEmbeddedStore } from "./store.ts";

const signal = new AbortController().signal;
const group: ConsumeOptions = {
  topic: "t",
  group: "g",
  from: "earliest",
  autoAck: false,
  ackWaitMs: 30_000,
  retryLimit: -1,
};

function event(text: string): NewEvent {
  return { timestamp: new Date(), metadata: {}, payload: Buffer.from(text), expiresAt: undefined };
}

async function take(
  deliveries: AsyncIterable<Delivery>,
  count: number,
  each?: (delivery: Delivery) => unknown,
): Promise<string[]> {
  const texts: string[] = [];
  if (count === 0) return texts;
  for await (const delivery of deliveries) {
    texts.push(Buffer.from(delivery.event.payload).toString());
    await each?.(delivery);
    if (texts.length === count) break;
  }
  return texts;
}

describe("EmbeddedEvents", () => {
  eventsConformance(it, {
    open: async () => {
      const store = await openEmbeddedStore();
      const events = new EmbeddedEvents({ database: store.database });
      const close = events[Symbol.asyncDispose].bind(events);
      events[Symbol.asyncDispose] = async () => {
        await close();
        await store[Symbol.asyncDispose]();
      };
      return events;
    },
  });

  let dataDir = "";
  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "micro-events-"));
  });
  after(() => rm(dataDir, { recursive: true }));

  it("keeps events and groups' positions over a restart, single acks too (EV-01)", async () => {
    const texts = Array.from({ length: 300 }, (_, i) => String(i));
    {
      await using store = await openEmbeddedStore({ dataDir });
      await using events = new EmbeddedEvents({ database: store.database });
      await Promise.all(texts.map((text) => events.publish("acme", "t", event(text), signal)));
      const odd = (delivery: Delivery) =>
        delivery.event.offset < 50 || delivery.event.offset % 2 === 1 ? delivery.ack() : undefined;
      await take(await events.consume("acme", group, signal), 200, odd);
    }
    await using store = await openEmbeddedStore({ dataDir });
    await using events = new EmbeddedEvents({ database: store.database });
    const read = await events.read("acme", "t", 1000, 0, signal);
    assert.deepEqual(
      read.map(({ payload }) => Buffer.from(payload).toString()),
      texts,
    );
    const left = texts.filter((_, i) => i >= 50 && !(i < 200 && i % 2 === 1));
    assert.deepEqual(await take(await events.consume("acme", group, signal), left.length, (each) => each.ack()), left);
  });

  it("gets a group through a long backlog of large events in bounded pieces", async () => {
    await using store = await openEmbeddedStore();
    await using events = new EmbeddedEvents({ database: store.database });
    const payload = Buffer.alloc(1024 * 1024);
    for (let i = 0; i < 20; i++) await events.publish("acme", "t", { ...event(""), payload }, signal);
    assert.equal((await events.read("acme", "t", 100, 0, signal)).length, 16);
    const deliveries = await events.consume("acme", group, signal);
    const offsets: number[] = [];
    await take(deliveries, 20, (delivery) => {
      offsets.push(delivery.event.offset);
      return delivery.ack();
    });
    assert.deepEqual(offsets, [...Array(20).keys()]);
  });

  it("gives a consumer that answers nothing a bounded number of events, and the rest once it answers", async () => {
    await using store = await openEmbeddedStore();
    await using events = new EmbeddedEvents({ database: store.database });
    await Promise.all(Array.from({ length: 400 }, (_, i) => events.publish("acme", "t", event(String(i)), signal)));
    const iterator = (await events.consume("acme", group, signal))[Symbol.asyncIterator]();
    const held: Delivery[] = [];
    for (let i = 0; i < 256; i++) held.push((await iterator.next()).value);
    let came = false;
    const next = iterator.next().then((result) => {
      came = true;
      return result;
    });
    await events.read("acme", "t", 1, 0, signal);
    assert.equal(came, false);
    await held[7]?.ack();
    assert.equal((await next).value.event.offset, 256);
    await iterator.return?.();
  });

  it("goes on past events that have expired", async () => {
    await using store = await openEmbeddedStore();
    await using events = new EmbeddedEvents({ database: store.database, sweepMs: 20 });
    const short = () => ({ ...event("short"), expiresAt: new Date(Date.now() + 50) });
    for (const next of [event("a"), short(), short(), event("b"), short()])
      await events.publish("acme", "t", next, signal);
    while ((await events.read("acme", "t", 10, 0, signal)).length > 2)
      await new Promise((resolve) => setTimeout(resolve, 20));
    const deliveries = await events.consume("acme", group, signal);
    const iterator = deliveries[Symbol.asyncIterator]();
    const next = async () => {
      const { value } = await iterator.next();
      await value.ack();
      return Buffer.from(value.event.payload).toString();
    };
    assert.deepEqual([await next(), await next()], ["a", "b"]);
    await events.publish("acme", "t", event("c"), signal);
    assert.equal(await next(), "c");
    await iterator.return?.();
    const rows = await store.database.read("SELECT position, done FROM event_groups", [], signal);
    assert.deepEqual(
      rows.map((row) => [...row]),
      [[6, "[]"]],
    );
  });

  it("says in the log which event it dropped, and not what was in it", async () => {
    const lines: string[] = [];
    await using store = await openEmbeddedStore();
    await using events = new EmbeddedEvents({ database: store.database, log: lineLog((line) => lines.push(line)) });
    for (const text of ["hidden", "next"]) await events.publish("acme", "t", event(text), signal);
    const deliveries = await events.consume("acme", { ...group, retryLimit: 0 }, signal);
    await take(deliveries, 2, (delivery) => delivery.nack());
    assert.match(lines.join(""), /event dropped.*topic=t.*group=g.*offset=0.*attempts=1/);
    assert.ok(!lines.join("").includes("hidden"));
  });

  it("keeps no group in memory or on disk for consumers without one", async () => {
    await using store = await openEmbeddedStore();
    await using events = new EmbeddedEvents({ database: store.database });
    await events.publish("acme", "t", event("x"), signal);
    for (let i = 0; i < 20; i++) await take(await events.consume("acme", { ...group, group: "" }, signal), 1);
    assert.deepEqual(await store.database.read("SELECT 1 FROM event_groups", [], signal), []);
  });

  it("forgets groups that nobody used for 30 days, one-off ones after a day", async () => {
    await using store = await openEmbeddedStore();
    await using events = new EmbeddedEvents({ database: store.database, sweepMs: 20 });
    const uuid = "0b8f1c1e-5d2a-4c63-9d3e-1f2a3b4c5d6e";
    const names = ["old", "stale", uuid, "fresh"];
    for (const name of names) await take(await events.consume("acme", { ...group, group: name }, signal), 0);
    const kept = async () =>
      (await store.database.read("SELECT CAST(name AS TEXT) FROM event_groups ORDER BY 1", [], signal)).map(
        ([name]) => name,
      );
    await events[Symbol.asyncDispose]();
    const days = 24 * 3_600_000;
    for (const [name, age] of [
      ["old", 31],
      ["stale", 2],
      [uuid, 2],
    ] as const) {
      const sql = "UPDATE event_groups SET used_at = ? WHERE CAST(name AS TEXT) = ?";
      await store.database.write([{ sql, params: [Date.now() - age * days, name] }], signal);
    }
    await using _ = new EmbeddedEvents({ database: store.database, sweepMs: 20 });
    while ((await kept()).length > 2) await new Promise((resolve) => setTimeout(resolve, 20));
    assert.deepEqual(await kept(), ["fresh", "stale"]);
  });
});

describe("EventProgress", () => {
  it("is done with exactly what was added, also after it was written down and read again", () => {
    const steps = fc.array(fc.oneof(fc.nat(30), fc.tuple(fc.nat(30), fc.nat(30))), { maxLength: 40 });
    fc.assert(
      fc.property(fc.nat(5), steps, (position, adds) => {
        let progress = new EventProgress({ position, done: [] });
        const model = new Set(Array.from({ length: position }, (_, i) => i));
        for (const step of adds) {
          if (typeof step === "number") {
            progress.add(step);
            model.add(step);
          } else {
            const [first, end] = step;
            progress.skip(first, end);
            for (let at = first; at < end; at++) model.add(at);
            progress = new EventProgress(JSON.parse(JSON.stringify(progress.snapshot())));
          }
        }
        for (let at = 0; at < 40; at++) assert.equal(progress.has(at), model.has(at), `at ${at}`);
        assert.ok(!progress.has(progress.position));
      }),
      { numRuns: 2000 },
    );
  });
});

/** Publishes from 16 publishers at once and prints what was acknowledged, until it is killed. */
const publisher = `
  import { EmbeddedEvents, openEmbeddedStore } from ${JSON.stringify(new URL("./index.ts", import.meta.url).href)};
  const store = await openEmbeddedStore({ dataDir: process.argv[1] });
  const events = new EmbeddedEvents({ database: store.database });
  const signal = new AbortController().signal;
  for (let who = 0; who < 16; who++) {
    (async () => {
      for (let i = 0; ; i++) {
        const payload = Buffer.from(who + "-" + i);
        await events.publish("acme", "t", { timestamp: new Date(), metadata: {}, payload, expiresAt: undefined }, signal);
        process.stdout.write(who + "-" + i + "\\n");
      }
    })();
  }
`;

describe("EmbeddedEvents, killed", () => {
  it("keeps every acknowledged event, once per offset, in each publisher's order (EV-01)", async () => {
    const dataDir = await mkdtemp(join(tmpdir(), "micro-events-kill-"));
    let known = 0;
    for (let round = 0; round < 3; round++) {
      const child = spawn(process.execPath, ["--input-type=module", "-e", publisher, dataDir], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      let text = "";
      for await (const chunk of child.stdout) {
        text += chunk;
        if (text.split("\n").length > 400 + round * 37) child.kill("SIGKILL");
      }
      const acked = text.split("\n").slice(0, -1);
      await using store = await openEmbeddedStore({ dataDir });
      await using events = new EmbeddedEvents({ database: store.database });
      const read = await readAll(events);
      assert.deepEqual(
        read.map(({ offset }) => offset),
        [...read.keys()],
      );
      const texts = read.map(({ payload }) => Buffer.from(payload).toString());
      const kept = new Set(texts.slice(known));
      known = texts.length;
      assert.deepEqual(
        acked.filter((each) => !kept.has(each)),
        [],
      );
      for (let who = 0; who < 16; who++) {
        const own = texts.filter((each) => each.startsWith(`${who}-`)).map((each) => Number(each.split("-")[1]));
        assert.ok(
          own.every((i, at) => i === 0 || i === (own[at - 1] ?? -1) + 1),
          `publisher ${who}: ${own}`,
        );
      }
    }
    await rm(dataDir, { recursive: true });
  });
});

async function readAll(events: EmbeddedEvents): Promise<StreamEvent[]> {
  const all: StreamEvent[] = [];
  for (;;) {
    const more = await events.read("acme", "t", 500, all.length, signal);
    if (more.length === 0) return all;
    all.push(...more);
  }
}
