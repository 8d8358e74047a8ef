import { deepEqual } from "node:assert/strict";
import { describe, it } from "node:test";
import { byteRange } from "./byte-range.ts";

describe("a range of bytes", () => {
  for (const [header, size, wanted] of [
    [undefined, 10, undefined],
    ["bytes=0-3", 10, [0, 4]],
    ["bytes=4-", 10, [4, 6]],
    ["bytes=-3", 10, [7, 3]],
    ["bytes=-30", 10, [0, 10]],
    ["bytes=8-300", 10, [8, 2]],
    ["bytes=10-", 10, "outside"],
    ["bytes=-0", 10, "outside"],
    ["bytes=0-", 0, "outside"],
    ["bytes=5-4", 10, undefined],
    ["bytes=0-1,4-5", 10, undefined],
    ["lines=0-1", 10, undefined],
    ["bytes=1e3-", 10, undefined],
    ["bytes=--1", 10, undefined],
  ] as const)
    it(`is ${JSON.stringify(wanted)} for ${header} of ${size}`, () => {
      const range = byteRange(header, size);
      deepEqual(typeof range === "object" ? [range.offset, range.length] : range, wanted);
    });
});
