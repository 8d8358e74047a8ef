import { deepEqual, equal } from "node:assert/strict";
import { describe, it } from "node:test";
import { LineLimit } from "./line-limit.ts";

describe("LineLimit", () => {
  it("lets the first lines of each kind through, and counts the others in the end, in bounded memory", async () => {
    const ended = Promise.withResolvers<void>();
    const left: [string, number][] = [];
    const onLeftOut = (kind: string, count: number) => {
      left.push([kind, count]);
      if (kind === "") ended.resolve();
    };
    const limit = new LineLimit({ first: 2, windowMs: 20, kinds: 3, onLeftOut });
    const written = (kind: string, times: number) =>
      Array.from({ length: times }, () => limit.allows(kind)).filter((is) => is).length;
    equal(written("forged", 5), 2);
    equal(written("expired", 1), 1);
    equal(written("revoked", 2), 2);
    // From here on all kinds are one.
    equal(Array.from({ length: 1000 }, (_, i) => written(`made up ${i}`, 1)).filter((count) => count > 0).length, 2);
    await ended.promise;
    deepEqual(left, [
      ["forged", 3],
      ["", 998],
    ]);
    equal(written("forged", 5), 2);
  });

  it("takes kinds that differ late for one", () => {
    const limit = new LineLimit({ first: 1, onLeftOut: () => {} });
    deepEqual(
      ["a", "b"].map((end) => limit.allows("x".repeat(10_000) + end)),
      [true, false],
    );
  });
});
