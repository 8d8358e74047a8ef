import { deepEqual, equal, rejects } from "node:assert/strict";
import { describe, it } from "node:test";
import { EmbeddedEvents, openEmbeddedStore } from "@microts/driver-embedded";
import { serveMethods } from "@microts/testing";
import { Events } from "./events.ts";
import { RemoteEvents } from "./remote.ts";
import { eventsMethods } from "./service.ts";

const account = { id: "a", name: "a", type: "service", issuer: "micro", scopes: ["service"], metadata: {} };

async function open() {
  const stack = new AsyncDisposableStack();
  const { database } = stack.use(await openEmbeddedStore());
  const events = new Events(stack.use(new EmbeddedEvents({ database })));
  const { rpc } = stack.use(await serveMethods("events", eventsMethods(events), { account }));
  const remote = new Events(new RemoteEvents(rpc, "micro"));
  /** Loses the chunk that an event lies in, as a bad disk does. */
  const lose = async (offset: number) => {
    const sql = "DELETE FROM event_chunks WHERE first_offset <= ?1 AND first_offset + count > ?1";
    await database.write([{ sql, params: [offset] }], new AbortController().signal);
  };
  return { events, remote, lose, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** Publishes events that say their offset, each so many bytes. */
async function fill(events: Events, count: number, bytes: number): Promise<void> {
  for (let at = 0; at < count; at += 100) {
    const some = Array.from({ length: Math.min(100, count - at) }, async (_, i) => {
      const payload = Buffer.alloc(bytes);
      payload.writeUInt32LE(at + i);
      await events.publish("t", payload);
    });
    await Promise.all(some);
  }
}

async function offsets(events: Events, options: Parameters<Events["replay"]>[1]): Promise<number[]> {
  const found: number[] = [];
  for await (const { offset, payload } of events.replay("t", options)) {
    equal(Buffer.from(payload).readUInt32LE(), offset);
    found.push(offset);
  }
  return found;
}

function range(from: number, until: number): number[] {
  return Array.from({ length: Math.max(0, until - from) }, (_, i) => from + i);
}

describe("a replay", () => {
  it("gives every event of its range once and in order, however many pages it takes", async () => {
    await using fixture = await open();
    await fill(fixture.events, 7000, 8);
    for (const events of [fixture.events, fixture.remote])
      for (const [from, until] of [
        [0, 7000],
        [1, 6999],
        [1023, 2049],
        [5000, 5001],
        [4000, 4000],
        [6990, 9000],
        [8000, 9000],
      ] as const)
        deepEqual(await offsets(events, { from, until }), range(from, Math.min(until, 7000)));
    deepEqual(await offsets(fixture.remote, {}), range(0, 7000));
    deepEqual(await offsets(fixture.remote, { until: new Date(Date.now() + 60_000) }), range(0, 7000));
  });

  it("goes on in the middle of what it asked for when events are so large that a page has few", async () => {
    await using fixture = await open();
    await fill(fixture.events, 1500, 16 * 1024);
    deepEqual(await offsets(fixture.remote, {}), range(0, 1500));
  });

  it("gives what is published while it runs, up to where it was told to go", async () => {
    await using fixture = await open();
    await fill(fixture.events, 3000, 8);
    let count = 0;
    for await (const { offset } of fixture.remote.replay("t", { until: 3005 })) {
      equal(offset, count++);
      if (count === 1) for (let i = 0; i < 10; i++) await fixture.events.publish("t", Buffer.alloc(4));
    }
    equal(count, 3005);
  });

  it("begins where the topic does when older events are gone", async () => {
    await using fixture = await open();
    await fill(fixture.events, 5000, 8);
    await fixture.events.configure("t", { maxEvents: 1000 });
    const { first } = await fixture.events.read("t", { limit: 1 });
    deepEqual(await offsets(fixture.remote, { from: 0 }), range(first, 5000));
  });

  it("names what it could not read in its place, or at the end", async () => {
    await using fixture = await open();
    await fill(fixture.events, 4000, 8);
    await fixture.lose(2500);
    const seen: (number | string)[] = [];
    const onDamaged = ({ offset, count, reason }: { offset: number; count: number; reason: string }) =>
      seen.push(`${reason} ${offset}+${count}`);
    const found = await offsets(fixture.remote, { onDamaged });
    const lost = range(0, 4000).filter((offset) => !found.includes(offset));
    equal(lost.includes(2500), true);
    deepEqual(seen, [`missing ${lost[0]}+${lost.length}`]);
    await rejects(
      offsets(fixture.remote, {}),
      ({ code, message }: Error & { code?: number }) => code === 500 && message.includes(`offset`),
    );
  });

  it("ends when its reader leaves, and when its signal aborts", async () => {
    await using fixture = await open();
    await fill(fixture.events, 8000, 8);
    for await (const { offset } of fixture.remote.replay("t")) if (offset === 1500) break;
    const ending = new AbortController();
    await rejects(async () => {
      for await (const { offset } of fixture.remote.replay("t", { signal: ending.signal }))
        if (offset === 1500) ending.abort();
    });
  });
});
