import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { ConsumeOptions, Delivery, NewEvent, Position, StreamEvent } from "@microts/blocks/events";
import fc from "fast-check";
import { type EmbeddedStore, openEmbeddedStore } from "../store.ts";
import { EmbeddedEvents } from "./events.ts";

const signal = new AbortController().signal;
const isNightly = Boolean(process.env["MICRO_NIGHTLY"]);
const lateMs = 20_000;

interface Known {
  readonly text: string;
  readonly time: number;
}

/** What a topic and one group of it have to be. */
class Model {
  readonly events: Known[] = [];
  readonly ids = new Map<string, number>();
  first = 0;
  /** Where the group is: undefined before its first consumer. */
  readonly done = new Set<number>();
  readonly out = new Map<number, number>();
  readonly tries = new Map<number, number>();

  get next(): number {
    return this.events.length;
  }

  /** What the group is not done with and nobody has, by offset. */
  available(): number[] {
    return this.events.flatMap((_, at) => (this.done.has(at) || this.out.has(at) ? [] : [at]));
  }

  locate(position: Position): number {
    if (position === "earliest") return this.first;
    if (position === "latest") return this.next;
    if (typeof position === "number") return position;
    const found = this.events.findIndex(({ time }, at) => at >= this.first && time >= position.getTime());
    return found < 0 ? this.next : found;
  }

  read(from: Position, until: Position | undefined, limit: number): [number, string][] {
    const end = Math.min(until === undefined ? this.next : this.locate(until), this.next);
    const start = Math.max(this.locate(from), this.first);
    return this.events
      .map(({ text }, at): [number, string] => [at, text])
      .slice(start, Math.max(start, end))
      .slice(0, limit);
  }
}

/** The same on the driver, with one consumer that answers when it is told to. */
class Real {
  readonly events: EmbeddedEvents;
  readonly topic: string;
  readonly held = new Map<number, Delivery>();
  #consumer: AsyncIterator<Delivery> | undefined;
  #pending: Promise<IteratorResult<Delivery>> | undefined;

  constructor(events: EmbeddedEvents, topic: string) {
    this.events = events;
    this.topic = topic;
  }

  /** The next delivery, which has to come. */
  async take(): Promise<Delivery> {
    const options: ConsumeOptions = {
      ...{ topic: this.topic, group: "g", from: "earliest", autoAck: false, ackWaitMs: 600_000, retryLimit: -1 },
      ...{ deadLetter: undefined, maxUnanswered: 1000 },
    };
    this.#consumer ??= (await this.events.consume("acme", options, signal))[Symbol.asyncIterator]();
    this.#pending ??= this.#consumer.next();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error("nothing was delivered")), lateMs);
    });
    const { value } = await Promise.race([this.#pending, late]);
    clearTimeout(timer);
    this.#pending = undefined;
    this.held.set(value.event.offset, value);
    return value;
  }

  async leave(): Promise<void> {
    await this.#consumer?.return?.();
    this.#consumer = undefined;
    this.#pending = undefined;
    this.held.clear();
  }
}

type Command = fc.AsyncCommand<Model, Real>;

function command(name: string, run: (model: Model, real: Real) => Promise<void>, check = (_: Model) => true): Command {
  return { check: (model) => check(model), run, toString: () => name };
}

function event(text: string, time: number, id?: string): NewEvent {
  return { id, timestamp: new Date(time), metadata: { text }, payload: Buffer.from(text), expiresAt: undefined };
}

function textOf({ payload, metadata }: StreamEvent): string {
  const text = Buffer.from(payload).toString();
  assert.equal(metadata["text"], text);
  return text;
}

let made = 0;

const publish = fc
  .array(fc.record({ time: fc.nat(20), id: fc.option(fc.constantFrom("a", "b", "c", "d"), { nil: undefined }) }), {
    minLength: 1,
    maxLength: 12,
    size: "max",
  })
  .map((wanted) =>
    command(`publish(${JSON.stringify(wanted)})`, async (model, real) => {
      const texts = wanted.map(() => `event ${made++}`);
      const published = await Promise.all(
        wanted.map(({ time, id }, i) =>
          real.events.publish("acme", real.topic, event(texts[i] ?? "", time, id), signal),
        ),
      );
      for (const [i, { time, id }] of wanted.entries()) {
        const known = id === undefined ? undefined : model.ids.get(id);
        const offset = known ?? model.next;
        assert.deepEqual([published[i]?.offset, published[i]?.duplicate], [offset, known !== undefined]);
        if (known !== undefined) continue;
        if (id !== undefined) model.ids.set(id, offset);
        model.events.push({ text: texts[i] ?? "", time });
      }
    }),
  );

const position: fc.Arbitrary<Position> = fc.oneof(
  fc.constantFrom<Position>("earliest", "latest"),
  fc.nat(25),
  fc.nat(22).map((time) => new Date(time)),
);

const read = fc
  .tuple(position, fc.option(position, { nil: undefined }), fc.integer({ min: 1, max: 20 }))
  .map(([from, until, limit]) =>
    command(`read(${from}, ${until}, ${limit})`, async (model, real) => {
      const page = await real.events.read("acme", real.topic, { from, until, limit }, signal);
      assert.deepEqual(page.damaged, []);
      assert.deepEqual(
        page.events.map((each) => [each.offset, textOf(each)]),
        model.read(from, until, limit),
      );
      // A topic that nobody has used yet is not there.
      assert.deepEqual([page.first, page.end], [model.first, model.next]);
    }),
  );

const take = fc.constant(
  command(
    "take",
    async (model, real) => {
      const { event: given, attempt } = await real.take();
      const available = model.available();
      const at = available.indexOf(given.offset);
      assert.ok(at >= 0, `${given.offset} was delivered, of ${available}`);
      // What a topic no longer keeps may be delivered from what was read ahead, and is skipped otherwise.
      for (const skipped of available.slice(0, at)) {
        assert.ok(skipped < model.first, `${given.offset} was delivered before ${skipped}`);
        model.done.add(skipped);
      }
      assert.equal(textOf(given), model.events[given.offset]?.text);
      assert.equal(attempt, (model.tries.get(given.offset) ?? 0) + 1);
      model.out.set(given.offset, attempt);
    },
    (model) => model.available().some((at) => at >= model.first),
  ),
);

const answer = fc.tuple(fc.constantFrom("ack", "release"), fc.nat(5)).map(([kind, which]) =>
  command(
    `${kind}(${which})`,
    async (model, real) => {
      const offset = [...model.out.keys()][which % model.out.size] ?? -1;
      const delivery = real.held.get(offset);
      real.held.delete(offset);
      model.out.delete(offset);
      await (kind === "ack" ? delivery?.ack() : delivery?.release());
      if (kind === "ack") model.done.add(offset);
      await delivery?.nack();
    },
    (model) => model.out.size > 0,
  ),
);

const leave = fc.constant(
  command("leave", async (model, real) => {
    for (const [offset, attempt] of model.out) model.tries.set(offset, attempt);
    model.out.clear();
    await real.leave();
  }),
);

const seek = position.map((to) =>
  command(`seek(${to})`, async (model, real) => {
    const offset = await real.events.seek("acme", real.topic, "g", to, signal);
    assert.equal(offset, Math.min(Math.max(model.locate(to), model.first), model.next));
    real.held.clear();
    model.out.clear();
    model.tries.clear();
    model.done.clear();
    for (let at = 0; at < offset; at++) model.done.add(at);
  }),
);

const keep = fc.integer({ min: 1, max: 15 }).map((maxEvents) =>
  command(`keep(${maxEvents})`, async (model, real) => {
    await real.events.configure("acme", real.topic, { maxEvents }, signal);
    model.first = Math.max(model.first, model.next - maxEvents);
    await real.events.configure("acme", real.topic, {}, signal);
  }),
);

const lag = fc.constant(
  command("lag", async (model, real) => {
    const [group] = await real.events.groups("acme", real.topic, signal);
    if (group === undefined) return;
    const left = model.events.flatMap((_, at) => (model.done.has(at) ? [] : [at]));
    const kept = left.filter((at) => at >= model.first);
    assert.ok(group.lag <= left.length && group.lag >= kept.length, `${group.lag} of ${left}, from ${model.first} on`);
  }),
);

describe("streams of the embedded driver", () => {
  let store: EmbeddedStore;
  let events: EmbeddedEvents;
  before(async () => {
    store = await openEmbeddedStore();
    events = new EmbeddedEvents({ database: store.database });
  });
  after(async () => {
    await events[Symbol.asyncDispose]();
    await store[Symbol.asyncDispose]();
  });

  const sequences = isNightly ? 10_000 : 250;
  it(`are what their model is after ${sequences} sequences of everything that can be done to them (EV-10)`, {
    timeout: 280_000,
  }, async () => {
    let topics = 0;
    const commands = fc.commands([publish, publish, read, take, take, answer, answer, leave, seek, keep, lag], {
      maxCommands: 50,
      size: "max",
    });
    await fc.assert(
      fc.asyncProperty(commands, async (all) => {
        const real = new Real(events, `topic-${topics++}`);
        await fc.asyncModelRun(() => ({ model: new Model(), real }), all);
        await real.leave();
      }),
      { numRuns: sequences },
    );
  });

  it("are read from any offset and any time as their model is (EV-10)", async () => {
    let topics = 0;
    const batches = fc.array(fc.array(fc.nat(20), { minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 8 });
    const ranges = fc.array(
      fc.tuple(position, fc.option(position, { nil: undefined }), fc.integer({ min: 1, max: 70 })),
      {
        minLength: 50,
        maxLength: 50,
      },
    );
    await fc.assert(
      fc.asyncProperty(batches, ranges, async (times, wanted) => {
        const topic = `range-${topics++}`;
        const model = new Model();
        for (const batch of times) {
          const texts = batch.map(() => `event ${made++}`);
          await Promise.all(batch.map((time, i) => events.publish("acme", topic, event(texts[i] ?? "", time), signal)));
          for (const [i, time] of batch.entries()) model.events.push({ text: texts[i] ?? "", time });
        }
        // Such as a topic of a name that begins alike.
        await events.publish("acme", `${topic}/b`, event("other", 1), signal);
        for (const [from, until, limit] of wanted) {
          const page = await events.read("acme", topic, { from, until, limit }, signal);
          assert.deepEqual(
            page.events.map((each) => [each.offset, textOf(each)]),
            model.read(from, until, limit),
          );
        }
      }),
      { numRuns: 100 },
    );
  });
});
