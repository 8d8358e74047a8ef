import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { decodeMessage, encodeMessage } from "@microts/core/codec";
import {
  AckRequestSchema,
  EventSchema,
  PublishRequestSchema,
  PublishResponseSchema,
  ReadResponseSchema,
} from "@microts/proto/events";
import fc from "fast-check";
import type { Damage, EventPage, StreamEvent } from "./driver.ts";
import {
  decodeDelivered,
  decodePublish,
  decodePublished,
  encodeAnswer,
  encodeDelivered,
  encodePublish,
  encodePublished,
} from "./event-codec.ts";
import { decodePage, encodePage } from "./page-codec.ts";
import { deliveryFrom, pageFrom, publishedFrom, publishFrom, wireEvent, wirePage, wirePublished } from "./wire.ts";

const text = fc.string({ unit: "grapheme", maxLength: 60 });
const offset = fc.maxSafeInteger().map(Math.abs);
const metadata = fc.dictionary(text, text, { maxKeys: 4, noNullPrototype: true });
const event: fc.Arbitrary<StreamEvent> = fc.record({
  id: text,
  topic: text,
  offset,
  timestamp: fc.integer({ min: 1, max: 253_402_300_799_000 }).map((ms) => new Date(ms)),
  metadata,
  payload: fc.uint8Array({ maxLength: 300 }),
});
const damage: fc.Arbitrary<Damage> = fc.record({
  offset,
  count: fc.nat(),
  reason: fc.constantFrom<Damage["reason"]>("checksum", "missing"),
});
const page: fc.Arbitrary<EventPage> = fc.record({
  events: fc.array(event, { maxLength: 5 }),
  damaged: fc.array(damage, { maxLength: 3 }),
  next: offset,
  first: offset,
  end: offset,
});
const delivered = fc.record({ event, attempt: fc.nat() });
const runs = { numRuns: 400 };

/** Comparable: payloads as arrays, metadata with an ordinary prototype. */
function plain(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_, each) => (typeof each === "bigint" ? String(each) : each)),
    (_, each) => (each?.type === "Buffer" ? Object.fromEntries(each.data.entries()) : each),
  );
}

function same(actual: unknown, expected: unknown): void {
  assert.deepEqual(plain(actual), plain(expected));
}

/** With its events, which are made when they are looked at. */
function wholePage(bytes: Uint8Array): EventPage {
  const { events, damaged, next, first, end } = decodePage(bytes);
  return { events, damaged, next, first, end };
}

describe("the codec of events", () => {
  it("writes what the general codec reads as the same", () => {
    fc.assert(
      fc.property(delivered, page, (one, all) => {
        const bytes = encodeDelivered(one, "proto");
        same(deliveryFrom(decodeMessage(EventSchema, bytes, "proto")), one);
        same(pageFrom(decodeMessage(ReadResponseSchema, encodePage(all, "proto"), "proto")), all);
        const published = { id: one.event.id, offset: one.event.offset, duplicate: one.attempt % 2 === 0 };
        same(
          publishedFrom(decodeMessage(PublishResponseSchema, encodePublished(published, "proto"), "proto")),
          published,
        );
      }),
      runs,
    );
  });

  it("reads what the general codec writes as the same", () => {
    fc.assert(
      fc.property(delivered, page, (one, all) => {
        same(decodeDelivered(encodeMessage(EventSchema, wireEvent(one.event, one.attempt), "proto")), one);
        same(wholePage(encodeMessage(ReadResponseSchema, wirePage(all), "proto")), all);
        const published = { id: one.event.id, offset: one.event.offset, duplicate: one.attempt % 2 === 0 };
        same(decodePublished(encodeMessage(PublishResponseSchema, wirePublished(published), "proto")), published);
      }),
      runs,
    );
  });

  it("publishes alike, in protobuf and in JSON", () => {
    fc.assert(
      fc.property(event, text, fc.boolean(), ({ id, topic, metadata: own, payload, timestamp }, namespace, expires) => {
        const expiresAt = expires ? new Date(Date.now() + 3_600_000) : undefined;
        const bytes = encodePublish(namespace, topic, {
          id: id || undefined,
          metadata: own,
          payload,
          timestamp,
          expiresAt,
        });
        const general = decodeMessage(PublishRequestSchema, bytes, "proto");
        same(decodePublish(bytes, "proto"), publishFrom(general));
        same(decodePublish(encodeMessage(PublishRequestSchema, general, "json"), "json"), publishFrom(general));
        const call = decodePublish(bytes, "proto");
        assert.deepEqual(
          [call.topic, call.namespace, call.id ?? "", call.timestamp],
          [topic, namespace, id, timestamp],
        );
        assert.ok(!expires || Math.abs((call.ttlMs ?? 0) - 3_600_000) < 60_000);
      }),
      runs,
    );
  });

  it("answers alike", () => {
    fc.assert(
      fc.property(text, offset, fc.boolean(), text, fc.boolean(), fc.boolean(), fc.boolean(), (...parts) => {
        const [id, at, success, reason, reject, extend, release] = parts;
        const answer = { success, reason, reject, extend, release };
        const read = decodeMessage(AckRequestSchema, encodeAnswer(id, at, answer), "proto");
        same({ ...read }, { ...read, id, offset: String(at), ...answer });
      }),
      runs,
    );
  });

  it("takes any bytes as the general codec does, with its errors, but for parts that are shorter than what is in them", () => {
    const outcome = (read: () => unknown) => {
      try {
        return plain(read());
      } catch (error) {
        return `${error}`;
      }
    };
    fc.assert(
      fc.property(page, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }), (all, changes) => {
        const bytes = Buffer.from(encodePage(all, "proto"));
        for (const [at, byte] of changes) if (bytes.length > 0) bytes[at % bytes.length] = byte;
        const general = outcome(() => pageFrom(decodeMessage(ReadResponseSchema, bytes, "proto")));
        const found = outcome(() => wholePage(bytes));
        if (!`${found}`.includes("the page of events is not well formed")) assert.deepEqual(found, general);
      }),
      { numRuns: 2_000 },
    );
  });
});
