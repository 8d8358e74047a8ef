import { deepEqual, equal } from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { decodedBound, huffmanLength, readHuffman, writeHuffman } from "./huffman.ts";

/** RFC 7541 Appendix B for octets 0 to 31 and 127, `code/length`. The others are compared with nghttp2 in nghttp2.test.ts. */
const controlCodes =
  "1ff8/13 7fffd8/23 fffffe2/28 fffffe3/28 fffffe4/28 fffffe5/28 fffffe6/28 fffffe7/28 fffffe8/28 ffffea/24 3ffffffc/30 " +
  "fffffe9/28 fffffea/28 3ffffffd/30 fffffeb/28 fffffec/28 fffffed/28 fffffee/28 fffffef/28 ffffff0/28 ffffff1/28 ffffff2/28 " +
  "3ffffffe/30 ffffff3/28 ffffff4/28 ffffff5/28 ffffff6/28 ffffff7/28 ffffff8/28 ffffff9/28 ffffffa/28 ffffffb/28 ffffffc/28";

function encode(text: string): Buffer {
  const target = Buffer.alloc(huffmanLength(text) + 1, 0xaa);
  equal(writeHuffman(target, 0, text), target.length - 1);
  return target.subarray(0, -1);
}

function decode(bytes: Buffer): string | undefined {
  const target = Buffer.alloc(decodedBound(bytes.length));
  const length = readHuffman(bytes, 0, bytes.length, target);
  return length < 0 ? undefined : target.toString("latin1", 0, length);
}

const bits = (text: string) => Buffer.from((text.match(/.{8}/g) ?? []).map((octet) => Number.parseInt(octet, 2)));

describe("the Huffman code", () => {
  it("is that of RFC 7541 Appendix B", () => {
    for (const [index, entry] of controlCodes.split(" ").entries()) {
      const [code = "", length] = entry.split("/");
      const expected = Number.parseInt(code, 16).toString(2).padStart(Number(length), "0");
      const octet = index === 32 ? 127 : index;
      deepEqual(encode(String.fromCharCode(octet)), bits(expected.padEnd(Math.ceil(Number(length) / 8) * 8, "1")));
    }
  });

  it("gives back any octets, whatever stands around them", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(5), (octets, offset) => {
        const text = Buffer.from(octets).toString("latin1");
        const coded = encode(text);
        const around = Buffer.concat([Buffer.alloc(offset, 0x55), coded, Buffer.alloc(3, 0)]);
        const target = Buffer.alloc(decodedBound(coded.length));
        const length = readHuffman(around, offset, offset + coded.length, target);
        equal(target.toString("latin1", 0, length), text);
      }),
    );
  });

  it("has room enough in decodedBound for the shortest codes", () => {
    for (let length = 0; length < 40; length++) {
      const text = "0".repeat(length);
      equal(decode(encode(text)), text);
    }
  });

  const eos = "1".repeat(30);
  const wrong: Readonly<Record<string, Buffer>> = {
    "a padding of eight bits": bits("11111111"),
    "a padding of eight bits behind a symbol of eight": bits("1111100011111111"),
    "a padding of eleven bits behind a symbol": bits("0001111111111111"),
    "a padding of zeros": bits("00011000"),
    "a padding of ones and a zero": bits("00011110"),
    EOS: bits(`${eos}11`),
    "EOS behind a symbol": bits(`00011${eos}11111`),
    "EOS before a symbol": bits(`${eos}00011111111`.slice(0, 40)),
    "half a long code": bits("1111111111111110"),
  };
  for (const [name, bytes] of Object.entries(wrong)) {
    it(`refuses ${name}`, () => {
      equal(decode(bytes), undefined);
    });
  }

  it("takes a padding of zero to seven ones", () => {
    // A "0" takes five bits.
    for (let count = 0; count < 8; count++) equal(decode(encode("0".repeat(count))), "0".repeat(count));
  });
});
