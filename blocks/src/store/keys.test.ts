import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { bytesOfKey, isKey, keyOfBytes } from "./keys.ts";

describe("keys", () => {
  it("hold any bytes and give them back", () => {
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 6 }),
      fc.string({ unit: "binary" }).map((text) => Buffer.from(text)),
    );
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        const bytes = Buffer.concat(pieces);
        const key = keyOfBytes(bytes);
        assert.ok(isKey(key));
        assert.deepEqual(Buffer.from(bytesOfKey(key)), bytes);
      }),
      { numRuns: 500 },
    );
  });

  it("are text where the bytes are", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        assert.equal(keyOfBytes(Buffer.from(text)), text);
        assert.deepEqual(Buffer.from(bytesOfKey(text)), Buffer.from(text));
      }),
    );
  });

  it("have one form only", () => {
    for (const text of ["\udcc3\udca9", "\ud800", "\udc41", "a\udfff", "\udc80\ud800"])
      assert.equal(isKey(text), false, text);
    for (const text of ["", "é", "\udcff", "a\udc80b", "\udcc3", "\udca9\udcc3"]) assert.equal(isKey(text), true, text);
    fc.assert(
      fc.property(
        fc.string({ unit: fc.integer({ min: 0xd7f0, max: 0xe010 }).map((code) => String.fromCharCode(code)) }),
        (text) => {
          if (isKey(text)) assert.equal(keyOfBytes(bytesOfKey(text)), text);
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
