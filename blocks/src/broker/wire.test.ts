import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import { encodeMessage } from "@microts/core/codec";
import { MessageSchema, PublishRequestSchema } from "@microts/proto/broker";
import fc from "fast-check";
import { DeliveryReader, decodePublish, encodeDelivery, encodePublish } from "./wire.ts";

const text = fc.string({ unit: "grapheme", maxLength: 200 });
const contents = fc.record({
  header: fc.dictionary(
    text.filter((name) => name !== "__proto__"),
    text,
    { noNullPrototype: true },
  ),
  body: fc.uint8Array({ maxLength: 300 }),
});

function plain({ header, body }: { header: Readonly<Record<string, string>>; body: Uint8Array }) {
  return { header: { ...header }, body: [...body] };
}

describe("the broker's own codec", () => {
  it("writes what the general one reads, and reads what that writes", () => {
    fc.assert(
      fc.property(text, contents, text, (topic, message, namespace) => {
        const wanted = plain(message);
        assert.deepEqual(plain(fromBinary(MessageSchema, encodeDelivery(message, "proto"))), wanted);
        assert.deepEqual(plain(new DeliveryReader("t").read(encodeMessage(MessageSchema, message, "proto"))), wanted);
        const request = fromBinary(PublishRequestSchema, encodePublish(topic, message, namespace));
        assert.equal(request.topic, topic);
        assert.equal(request.namespace, namespace);
        assert.deepEqual(plain(request.message ?? message), wanted);
        const read = decodePublish(
          encodeMessage(PublishRequestSchema, { topic, message, namespace }, "proto"),
          "proto",
        );
        assert.equal(read.topic, topic);
        assert.equal(read.namespace, namespace);
        assert.deepEqual(plain(read.message ?? message), wanted);
      }),
      { numRuns: 1_000 },
    );
  });

  it("reads any bytes as the general one does, or fails as that does", () => {
    const read = (decode: () => { header: Readonly<Record<string, string>>; body: Uint8Array }) => {
      try {
        return plain(decode());
      } catch {
        return "failed";
      }
    };
    const written = contents.map((message) => encodeDelivery(message, "proto"));
    const damaged = fc.tuple(written, fc.nat(), fc.nat(255)).map(([bytes, at, byte]) => {
      const copy = Uint8Array.from(bytes);
      if (copy.length > 0) copy[at % copy.length] = byte;
      return copy;
    });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 40 }), damaged), (bytes) => {
        assert.deepEqual(
          read(() => new DeliveryReader("t").read(bytes)),
          read(() => fromBinary(MessageSchema, bytes)),
        );
      }),
      { numRuns: 5_000 },
    );
  });

  it("reads a row of messages as each alone, whatever they share", () => {
    const shared = fc.constantFrom({}, { a: "1" }, { a: "1", b: "2" }, { a: "2" });
    const bodies = fc.oneof(fc.uint8Array({ maxLength: 8 }), fc.constant(Uint8Array.of(0x0a, 4, 0x0a, 0, 0x12, 0)));
    const fields = fc.tuple(shared, bodies, fc.constantFrom("behind", "before", "twice"));
    const bytes = fields.map(([header, body, order]) => {
      const head = encodeMessage(MessageSchema, { header }, "proto");
      const tail = encodeMessage(MessageSchema, { body }, "proto");
      const parts = { behind: [head, tail], before: [tail, head], twice: [tail, head, tail] }[order];
      return Buffer.concat(parts);
    });
    fc.assert(
      fc.property(fc.array(bytes, { maxLength: 8 }), (messages) => {
        const reader = new DeliveryReader("t");
        for (const message of messages)
          assert.deepEqual(plain(reader.read(message)), plain(fromBinary(MessageSchema, message)));
      }),
      { numRuns: 3_000 },
    );
  });

  it("tells a missing message from an empty one", () => {
    assert.equal(
      decodePublish(encodeMessage(PublishRequestSchema, { topic: "t" }, "proto"), "proto").message,
      undefined,
    );
    const empty = { header: {}, body: new Uint8Array() };
    assert.equal(decodePublish(encodePublish("t", empty, ""), "proto").message?.body.length, 0);
  });

  it("makes the bytes of a message once for all its subscribers", () => {
    const message = { header: { a: "b" }, body: Uint8Array.of(1) };
    assert.equal(encodeDelivery(message, "proto"), encodeDelivery(message, "proto"));
    assert.equal(encodeDelivery(message, "json"), encodeDelivery(message, "json"));
    assert.deepEqual(JSON.parse(Buffer.from(encodeDelivery(message, "json")).toString()), {
      header: { a: "b" },
      body: "AQ==",
    });
  });
});
