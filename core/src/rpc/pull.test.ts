import { deepEqual, equal, rejects } from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { mapped, Pull } from "./pull.ts";

/** Gives `values` one by one, each at once or later, and counts how often it was closed. */
function source(values: readonly { readonly value: number; readonly isLater: boolean }[]) {
  let at = 0;
  const counts = { closed: 0 };
  const pull = new Pull<number>(
    () => {
      const next = values[at++];
      if (next === undefined) return undefined;
      return next.isLater ? new Promise((resolve) => setImmediate(resolve, next.value)) : next.value;
    },
    () => {
      counts.closed++;
    },
  );
  return { pull, counts };
}

const values = fc.array(fc.record({ value: fc.integer(), isLater: fc.boolean() }), { maxLength: 20 });

describe("Pull", () => {
  it("gives each value once, in order, whether it is read, iterated or mapped, and closes once", async () => {
    await fc.assert(
      fc.asyncProperty(values, fc.boolean(), fc.boolean(), async (given, isMapped, isRead) => {
        const { pull, counts } = source(given);
        const from = isMapped ? mapped(pull, (value) => value) : pull;
        const seen: number[] = [];
        if (isRead) for (let next = await from.read(); next !== undefined; next = await from.read()) seen.push(next);
        else for await (const value of from) seen.push(value);
        deepEqual(
          seen,
          given.map(({ value }) => value),
        );
        equal(counts.closed, 1);
        equal((await from.next()).done, true);
        equal(counts.closed, 1);
      }),
      { numRuns: 60 },
    );
  });

  it("answers reads that overlap one after the other", async () => {
    const { pull } = source([1, 2, 3].map((value) => ({ value, isLater: true })));
    const results = await Promise.all([pull.next(), pull.next(), pull.next(), pull.next()]);
    deepEqual(
      results.map(({ value }) => value),
      [1, 2, 3, undefined],
    );
  });

  it("closes when the reader leaves the loop, also through a map", async () => {
    const { pull, counts } = source([1, 2, 3].map((value) => ({ value, isLater: false })));
    for await (const value of mapped(pull, (each) => each * 2)) {
      equal(value, 2);
      break;
    }
    equal(counts.closed, 1);
    equal((await pull.next()).done, true);
  });

  it("closes and fails with what the source throws, now or later, and is over then", async () => {
    for (const fail of [() => Promise.reject(new Error("broken")), () => thrown()]) {
      let closed = 0;
      const pull = new Pull<number>(fail, () => closed++);
      await rejects(pull.next(), /broken/);
      equal(closed, 1);
      equal((await pull.next()).done, true);
    }
  });
});

function thrown(): never {
  throw new Error("broken");
}
