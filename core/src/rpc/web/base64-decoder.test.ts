import { deepEqual, equal, throws } from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Base64Decoder } from "./base64-decoder.ts";

const runs = process.env.MICRO_NIGHTLY ? 50_000 : 500;

/** Decodes the text cut at the places given. */
function decode(text: string, cuts: readonly number[] = []): Buffer {
  const decoder = new Base64Decoder();
  const places = [0, ...cuts.map((cut) => cut % (text.length + 1)).toSorted((a, b) => a - b), text.length];
  const chunk = Buffer.from(`[${text}]`, "latin1");
  const pieces = places.slice(1).map((to, n) => decoder.push(chunk, 1 + (places[n] as number), 1 + to));
  return Buffer.concat([...pieces, decoder.end()]);
}

describe("the decoder of application/grpc-web-text", () => {
  it("puts any pieces together, each encoded on its own, however the network cuts them", () => {
    const pieces = fc.array(fc.uint8Array({ maxLength: 70 }), { maxLength: 8 });
    fc.assert(
      fc.property(pieces, fc.array(fc.nat(), { maxLength: 30 }), (parts, cuts) => {
        const text = parts.map((part) => Buffer.from(part).toString("base64")).join("");
        deepEqual(decode(text, cuts), Buffer.concat(parts));
      }),
      { numRuns: runs },
    );
  });

  it("gives the same bytes or the same refusal however any text is cut", () => {
    const outcome = (text: string, cuts: readonly number[]) => {
      try {
        return decode(text, cuts).toString("hex");
      } catch (error) {
        return (error as Error).message;
      }
    };
    const nearly = fc.string({ unit: fc.constantFrom(..."AZaz09+/=-_ \n\xff"), maxLength: 40 });
    fc.assert(
      fc.property(nearly, fc.array(fc.nat(), { maxLength: 20 }), (text, cuts) => {
        equal(outcome(text, cuts), outcome(text, []));
      }),
      { numRuns: runs },
    );
  });

  it("gives bytes as soon as four characters are there", () => {
    const decoder = new Base64Decoder();
    equal(decoder.push(Buffer.from("QUJ"), 0, 3).length, 0);
    equal(decoder.push(Buffer.from("DRA"), 0, 3).toString(), "ABC");
    equal(decoder.push(Buffer.from("=="), 0, 2).toString(), "D");
  });

  it("takes an end without padding", () => {
    equal(decode("QUJDRA").toString(), "ABCD");
    equal(decode("QUJDREU").toString(), "ABCDE");
  });

  for (const text of [
    "A",
    "QUJDR",
    "=",
    "====",
    "Q===",
    "Q=Q=",
    "QQ=Q",
    "QUJD====",
    "QUJ D",
    "QUJ\n",
    "!!!!",
    "QQ\xff=",
    "Q",
  ]) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      throws(() => decode(text), { name: "StatusError", message: /isn't base64/ });
      throws(() => decode(text, [0, 1, 2, 3, 4, 5]), { name: "StatusError" });
    });
  }
});
