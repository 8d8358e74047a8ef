import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { ConsumeOptions, Delivery, NewEvent, ReadRange } from "@microts/blocks/events";
import { lineLog } from "@microts/core";
import { eventsConformance } from "../../../../blocks/src/events/conformance.ts";
import { openEmbeddedStore } from "../store.ts";
import { EmbeddedEvents } from "./events.ts";

const signal = new AbortController().signal;
const all: ReadRange = { from: "earliest", until: undefined, limit: 10_000 };
const group: ConsumeOptions = {
  topic: "t",
  group: "g",
  from: "earliest",
  autoAck: false,
  ackWaitMs: 30_000,
  retryLimit: -1,
  deadLetter: undefined,
  maxUnanswered: 1000,
};

function event(text: string, more: Partial<NewEvent> = {}): NewEvent {
  const payload = Buffer.from(text);
  return { id: undefined, timestamp: new Date(), metadata: {}, payload, expiresAt: undefined, ...more };
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

async function texts(events: EmbeddedEvents, range: Partial<ReadRange> = {}): Promise<string[]> {
  const page = await events.read("acme", "t", { ...all, ...range }, signal);
  return page.events.map(({ payload }) => Buffer.from(payload).toString());
}

const numbers = (count: number) => Array.from({ length: count }, (_, i) => String(i));

/** The suite's driver, in memory without a directory. */
async function openForSuite(dataDir?: string): Promise<EmbeddedEvents> {
  const store = await openEmbeddedStore({ dataDir });
  const events = new EmbeddedEvents({ database: store.database, sweepMs: 100 });
  const close = events[Symbol.asyncDispose].bind(events);
  events[Symbol.asyncDispose] = async () => {
    await close();
    await store[Symbol.asyncDispose]();
    if (dataDir !== undefined) await rm(dataDir, { recursive: true });
  };
  return events;
}

describe("EmbeddedEvents in memory", () => {
  eventsConformance(it, { open: () => openForSuite() });
});

describe("EmbeddedEvents on disk", () => {
  eventsConformance(it, { open: async () => openForSuite(await mkdtemp(join(tmpdir(), "micro-events-"))) });
});

describe("EmbeddedEvents over a restart", () => {
  let dataDir = "";
  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "micro-events-"));
  });
  after(() => rm(dataDir, { recursive: true }));

  async function opened() {
    const stack = new AsyncDisposableStack();
    const store = stack.use(await openEmbeddedStore({ dataDir }));
    const events = stack.use(new EmbeddedEvents({ database: store.database }));
    return { events, [Symbol.asyncDispose]: () => stack.disposeAsync() };
  }

  it("keeps events, groups' positions, and single acks (EV-01)", async () => {
    {
      await using first = await opened();
      await Promise.all(numbers(300).map((text) => first.events.publish("acme", "t", event(text), signal)));
      const odd = (delivery: Delivery) =>
        delivery.event.offset < 50 || delivery.event.offset % 2 === 1 ? delivery.ack() : undefined;
      await take(await first.events.consume("acme", group, signal), 200, odd);
    }
    await using second = await opened();
    assert.deepEqual(await texts(second.events), numbers(300));
    const left = numbers(300).filter((_, i) => i >= 50 && !(i < 200 && i % 2 === 1));
    const taken = await take(await second.events.consume("acme", group, signal), left.length, (each) => each.ack());
    assert.deepEqual(taken, left);
  });

  it("knows the ids of its window, and forgets them behind it (EV-06)", async () => {
    const named = () => event("once", { id: "order-7" });
    const offsets = new Set<number>();
    for (let round = 0; round < 3; round++) {
      await using each = await opened();
      const published = await Promise.all(numbers(34).map(() => each.events.publish("acme", "ids", named(), signal)));
      for (const { offset } of published) offsets.add(offset);
    }
    assert.deepEqual([...offsets], [0]);
    await using last = await opened();
    await last.events.configure("acme", "ids", { dedupeMs: 1 }, signal);
    assert.equal((await last.events.publish("acme", "ids", event("", { id: "short" }), signal)).duplicate, false);
    await new Promise((resolve) => setTimeout(resolve, 5));
    assert.equal((await last.events.publish("acme", "ids", event("", { id: "short" }), signal)).duplicate, false);
  });

  it("counts the tries of an event on, and keeps what topics are set to", async () => {
    const retried = { ...group, topic: "tries", group: "r" };
    {
      await using first = await opened();
      await first.events.publish("acme", "tries", event("bad"), signal);
      await first.events.configure("acme", "tries", { maxEvents: 7 }, signal);
      const twice = await first.events.consume("acme", retried, signal);
      await take(twice, 2, (each) => each.nack());
    }
    await using second = await opened();
    const attempts: number[] = [];
    await take(await second.events.consume("acme", retried, signal), 1, (each) => attempts.push(each.attempt));
    assert.deepEqual(attempts, [3]);
    const topics = await second.events.topics("acme", signal);
    assert.equal(topics.find(({ topic }) => topic === "tries")?.settings.maxEvents, 7);
  });
});

describe("EmbeddedEvents", () => {
  it("gets a group through a long backlog of large events in bounded pieces", async () => {
    await using store = await openEmbeddedStore();
    await using events = new EmbeddedEvents({ database: store.database });
    const payload = Buffer.alloc(1024 * 1024);
    for (let i = 0; i < 20; i++) await events.publish("acme", "t", event("", { payload }), signal);
    const page = await events.read("acme", "t", all, signal);
    assert.ok(page.events.length >= 1 && page.events.length <= 5, `${page.events.length} MiB at once`);
    const offsets: number[] = [];
    await take(await events.consume("acme", group, signal), 20, (delivery) => {
      offsets.push(delivery.event.offset);
      return delivery.ack();
    });
    assert.deepEqual(offsets, [...Array(20).keys()]);
  });

  it("deletes expired events from disk, and goes on past them", async () => {
    await using store = await openEmbeddedStore();
    await using events = new EmbeddedEvents({ database: store.database, sweepMs: 20 });
    const short = () => event("x".repeat(1000), { expiresAt: new Date(Date.now() + 50) });
    for (const next of [event("a"), short(), short(), event("b"), short()])
      await events.publish("acme", "t", next, signal);
    const bytes = async () => {
      const [row] = await store.database.read(
        "SELECT SUM(length(data)), MAX(bytes) FROM event_chunks, topics",
        [],
        signal,
      );
      return [Number(row?.[0]), Number(row?.[1])];
    };
    while ((await bytes()).some((each) => each > 1000)) await new Promise((resolve) => setTimeout(resolve, 20));
    const [stored, counted] = await bytes();
    assert.equal(stored, counted);
    assert.deepEqual(await texts(events), ["a", "b"]);
    const iterator = (await events.consume("acme", group, signal))[Symbol.asyncIterator]();
    const next = async () => {
      const { value } = await iterator.next();
      await value.ack();
      return Buffer.from(value.event.payload).toString();
    };
    assert.deepEqual([await next(), await next()], ["a", "b"]);
    await events.publish("acme", "t", event("c"), signal);
    assert.equal(await next(), "c");
    await iterator.return?.();
    const [state] = await events.groups("acme", "t", signal);
    assert.deepEqual([state?.position, state?.lag], [6, 0]);
  });

  it("deletes what is over a topic's limits from disk, while it is published", async () => {
    await using store = await openEmbeddedStore();
    await using events = new EmbeddedEvents({ database: store.database });
    await events.configure("acme", "t", { maxEvents: 500 }, signal);
    for (let i = 0; i < 100; i++)
      await Promise.all(numbers(50).map((text) => events.publish("acme", "t", event(text), signal)));
    const counted = async () => {
      const [row] = await store.database.read("SELECT SUM(count) FROM event_chunks", [], signal);
      return Number(row?.[0]);
    };
    while ((await counted()) > 650) await new Promise((resolve) => setTimeout(resolve, 20));
    const page = await events.read("acme", "t", { ...all, from: 0 }, signal);
    assert.equal(page.end, 5000);
    assert.deepEqual(page.damaged, []);
    assert.deepEqual(
      page.events.map(({ offset }) => offset),
      Array.from({ length: page.events.length }, (_, i) => page.first + i),
    );
  });

  it("keeps a chunk of which only a part is over the limit, cut after cut", async () => {
    await using store = await openEmbeddedStore();
    await using events = new EmbeddedEvents({ database: store.database });
    await Promise.all(numbers(50).map((text) => events.publish("acme", "t", event(text), signal)));
    for (let next = 50; next < 80; next++) {
      await events.configure("acme", "t", { maxEvents: 20 }, signal);
      const page = await events.read("acme", "t", all, signal);
      assert.deepEqual(page.damaged, []);
      assert.deepEqual(
        page.events.map(({ offset }) => offset),
        Array.from({ length: 20 }, (_, i) => next - 20 + i),
      );
      await events.publish("acme", "t", event("one more"), signal);
    }
  });

  it("says in the log which event it dropped, and not what was in it", async () => {
    const lines: string[] = [];
    await using store = await openEmbeddedStore();
    await using events = new EmbeddedEvents({ database: store.database, log: lineLog((line) => lines.push(line)) });
    for (const text of ["hidden", "next"]) await events.publish("acme", "t", event(text), signal);
    const deliveries = await events.consume("acme", { ...group, retryLimit: 0 }, signal);
    await take(deliveries, 2, (delivery) => delivery.nack("no stock"));
    assert.match(lines.join(""), /nobody handled an event.*topic=t.*group=g.*offset=0.*attempts=1.*reason="no stock"/);
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
    const uuid = "0b8f1c1e-5d2a-4c63-9d3e-1f2a3b4c5d6e";
    {
      await using events = new EmbeddedEvents({ database: store.database });
      for (const name of ["old", "stale", uuid, "fresh"])
        await take(await events.consume("acme", { ...group, group: name }, signal), 0);
    }
    const days = 24 * 3_600_000;
    for (const [name, age] of [
      ["old", 31],
      ["stale", 2],
      [uuid, 2],
    ] as const) {
      const sql = "UPDATE event_groups SET used_at = ? WHERE CAST(name AS TEXT) = ?";
      await store.database.write([{ sql, params: [Date.now() - age * days, name] }], signal);
    }
    await using events = new EmbeddedEvents({ database: store.database, sweepMs: 20 });
    const kept = async () => (await events.groups("acme", "t", signal)).map((each) => each.group);
    while ((await kept()).length > 2) await new Promise((resolve) => setTimeout(resolve, 20));
    assert.deepEqual(await kept(), ["fresh", "stale"]);
  });

  it("fails all publishers of a batch that can't be written, leaves no gap, and goes on", async () => {
    await using store = await openEmbeddedStore();
    await using events = new EmbeddedEvents({ database: store.database });
    await events.publish("acme", "t", event("before"), signal);
    const sql = (text: string) => store.database.write([{ sql: text, params: [] }], signal);
    await sql("CREATE TRIGGER refuse BEFORE INSERT ON event_chunks BEGIN SELECT RAISE(ABORT, 'refused'); END");
    const refused = await Promise.allSettled(
      numbers(10).map((text) => events.publish("acme", "t", event(text), signal)),
    );
    assert.ok(refused.every(({ status }) => status === "rejected"));
    await sql("DROP TRIGGER refuse");
    assert.equal((await events.publish("acme", "t", event("after"), signal)).offset, 1);
    assert.deepEqual(await texts(events), ["before", "after"]);
  });

  it("takes an event back whose publisher gives up before it is on its way", async () => {
    await using store = await openEmbeddedStore();
    await using events = new EmbeddedEvents({ database: store.database });
    await events.publish("acme", "t", event("first"), signal);
    const own = new AbortController();
    const gone = events.publish("acme", "t", event("gone"), own.signal);
    const kept = events.publish("acme", "t", event("kept"), signal);
    own.abort();
    await assert.rejects(gone, { name: "AbortError" });
    assert.equal((await kept).offset, 1);
    assert.deepEqual(await texts(events), ["first", "kept"]);
  });
});
