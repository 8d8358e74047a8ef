import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { decodeBody, encodeChunk, goneBytes, recordsOf, type StoredEvent } from "./chunk.ts";

const stored: fc.Arbitrary<StoredEvent> = fc.record({
  id: fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 }),
  at: fc.nat(2 ** 43),
  expiresAt: fc.option(fc.nat(2 ** 43), { nil: undefined }),
  metadata: fc.dictionary(fc.string(), fc.string({ unit: "grapheme" }), { maxKeys: 3, noNullPrototype: true }),
  payload: fc.uint8Array({ maxLength: 200 }),
});
const chunks = fc.record({
  key: fc.record({ topicId: fc.integer({ min: 1, max: 2 ** 31 }), first: fc.maxSafeInteger().map(Math.abs) }),
  events: fc.array(fc.option(stored, { nil: undefined }), { minLength: 1, maxLength: 12 }),
});

function plain(event: StoredEvent | undefined) {
  return event && { ...event, metadata: { ...event.metadata }, payload: [...event.payload] };
}

function decoded(records: readonly (Buffer | undefined)[]) {
  return records.map((body) => (body === undefined ? "damaged" : plain(decodeBody(body))));
}

describe("chunks of events", () => {
  it("are read as they were written", () => {
    fc.assert(
      fc.property(chunks, ({ key, events }) => {
        const records = recordsOf(key, events.length, encodeChunk(key, events));
        assert.deepEqual(decoded(records), events.map(plain));
      }),
      { numRuns: 400 },
    );
  });

  it("never give an event whose bits changed, and give all others (EV-04)", () => {
    fc.assert(
      fc.property(chunks, fc.nat(), fc.nat(7), ({ key, events }, at, bit) => {
        const data = encodeChunk(key, events);
        const byte = at % data.length;
        data[byte] = (data[byte] ?? 0) ^ (1 << bit);
        const found = decoded(recordsOf(key, events.length, data));
        const wrong = found.filter((each, i) => each === "damaged" || !same(each, plain(events[i])));
        assert.ok(!wrong.some((each) => each !== "damaged"), "an altered event was given");
        const isGone = events.every((event) => event === undefined);
        assert.ok(isGone || wrong.length <= 1, `${wrong.length} are damaged`);
      }),
      { numRuns: 1500 },
    );
  });

  it("give the same for a part as for the whole, whatever bits changed", () => {
    fc.assert(
      fc.property(chunks, fc.nat(), fc.nat(8), fc.nat(), fc.nat(), ({ key, events }, at, bit, start, size) => {
        const data = encodeChunk(key, events);
        const byte = at % data.length;
        data[byte] = (data[byte] ?? 0) ^ ((1 << bit) & 0xff);
        const from = start % events.length;
        const until = from + (size % (events.length + 1));
        const part = decoded(recordsOf(key, events.length, data, from, until)).slice(from, until);
        assert.deepEqual(part, decoded(recordsOf(key, events.length, data)).slice(from, until));
      }),
      { numRuns: 400 },
    );
  });

  it("lose only what is behind the place where they were cut", () => {
    fc.assert(
      fc.property(chunks, fc.nat(), ({ key, events }, at) => {
        const data = encodeChunk(key, events);
        const cut = data.subarray(0, at % data.length);
        const found = decoded(recordsOf(key, events.length, cut));
        assert.equal(found.length, events.length);
        const firstLost = found.indexOf("damaged");
        assert.ok(firstLost >= 0 && found.slice(firstLost).every((each) => each === "damaged"));
        assert.deepEqual(found.slice(0, firstLost), events.slice(0, firstLost).map(plain));
      }),
      { numRuns: 400 },
    );
  });

  it("are damaged in any place but their own", () => {
    const event = { id: "a", at: 1, expiresAt: undefined, metadata: {}, payload: Buffer.from("x") };
    const data = encodeChunk({ topicId: 1, first: 10 }, [event, event]);
    for (const key of [
      { topicId: 2, first: 10 },
      { topicId: 1, first: 11 },
      { topicId: 1, first: 10 + 2 ** 32 },
    ])
      assert.deepEqual(recordsOf(key, 2, data), [undefined, undefined]);
  });

  it("need a few bytes when all of their events are gone", () => {
    const data = encodeChunk(
      { topicId: 1, first: 0 },
      Array.from({ length: 1000 }, () => undefined),
    );
    assert.equal(data.length, goneBytes);
  });
});

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
