import { deepEqual, equal, throws } from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { huffmanLength, writeHuffman } from "./huffman.ts";
import { HpackDecoder } from "./index.ts";

/** An integer of RFC 7541 §5.1 behind seven bits. */
function integer(value: number): number[] {
  if (value < 127) return [0x80 | value];
  const octets = [0xff];
  let rest = value - 127;
  for (; rest >= 128; rest >>>= 7) octets.push((rest & 0x7f) | 0x80);
  return [...octets, rest];
}

/** A never indexed field whose value is Huffman coded (RFC 7541 §6.2.3). */
function coded(name: string, value: string): Buffer {
  const length = huffmanLength(value);
  const octets = Buffer.alloc(length);
  writeHuffman(octets, 0, value);
  return Buffer.concat([Buffer.from([0x10, name.length]), Buffer.from(name), Buffer.from(integer(length)), octets]);
}

const decode = (decoder: HpackDecoder, block: Buffer) => decoder.decode(block, 0, block.length, 1_000_000, 100);

describe("long Huffman coded values", () => {
  it("read the same the first time and every other time, however they take turns", () => {
    const unit = fc.constantFrom(..."abcXYZ019._-");
    const characters = fc.string({ unit, minLength: 1, maxLength: 40 });
    const token = fc
      .tuple(characters, fc.integer({ min: 100, max: 1600 }))
      .map(([text, length]) => text.repeat(length).slice(0, length));
    fc.assert(
      fc.property(
        fc.array(token, { minLength: 1, maxLength: 7 }),
        fc.array(fc.nat(6), { maxLength: 30 }),
        (tokens, order) => {
          const decoder = new HpackDecoder();
          for (const at of order) {
            const value = tokens[at % tokens.length] as string;
            deepEqual(decode(decoder, coded("authorization", value)), ["authorization", value]);
          }
        },
      ),
      { numRuns: 100 },
    );
  });

  it("keep their fault", () => {
    const decoder = new HpackDecoder();
    const block = coded("x", `${"a".repeat(300)}\n`);
    for (const _ of [1, 2]) {
      decode(decoder, block);
      equal(decoder.malformed, "a field value has a NUL or a line break");
    }
  });

  it("are not taken for one that is cut off", () => {
    const decoder = new HpackDecoder();
    const value = "0".repeat(400);
    const block = coded("x", value);
    deepEqual(decode(decoder, block), ["x", value]);
    // The same octets, with a length that goes on behind the end of the block.
    const longer = Buffer.from(block);
    const at = longer.indexOf(0xff);
    longer[at + 1] = (longer[at + 1] as number) + 1;
    throws(() => decode(decoder, longer), /ends inside a field/);
  });
});
