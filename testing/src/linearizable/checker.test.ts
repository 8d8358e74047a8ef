import { deepEqual, equal, match } from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { inexplicable, type Operation } from "./checker.ts";
import { type RegisterCall, type RegisterState, register } from "./register.ts";

type Op = Operation<RegisterCall>;

const read = (value: string | undefined): RegisterCall => ({ kind: "read", value });
const write = (value: string | undefined, revision?: number): RegisterCall => ({ kind: "write", value, revision });
const swap = (expected: string | undefined, value: string, isDone: boolean): RegisterCall => ({
  kind: "swap",
  expected,
  value,
  isDone,
});
const op = (invokedAt: number, returnedAt: number, call: RegisterCall): Op => ({
  call,
  invokedAt,
  returnedAt,
  isUnknown: false,
});
const unknown = (invokedAt: number, returnedAt: number, call: RegisterCall): Op => ({
  ...op(invokedAt, returnedAt, call),
  isUnknown: true,
});

describe("the checker of histories", () => {
  const right: Readonly<Record<string, readonly Op[]>> = {
    "reads of what is not there": [op(1, 2, read(undefined))],
    "one call after the other": [op(1, 2, write("a")), op(3, 4, swap("a", "b", true)), op(5, 6, read("b"))],
    "a read that overlaps a write, either way": [
      op(1, 10, write("a")),
      op(2, 3, read(undefined)),
      op(4, 5, read("a")),
      op(6, 7, read("a")),
    ],
    "two writes at once, of which the first to be answered is the last": [
      op(1, 4, write("a")),
      op(2, 3, write("b")),
      op(5, 6, read("a")),
    ],
    "one of two swaps": [
      op(1, 4, swap(undefined, "a", true)),
      op(2, 3, swap(undefined, "b", false)),
      op(5, 6, read("a")),
    ],
    "a write without an answer that takes effect late": [
      unknown(1, Number.POSITIVE_INFINITY, write("a")),
      op(2, 3, read(undefined)),
      op(4, 5, read("a")),
    ],
    "a write without an answer that never does": [
      unknown(1, 4, write("a")),
      op(2, 3, read(undefined)),
      op(5, 6, read(undefined)),
    ],
    "a swap without an answer": [
      op(1, 2, write("a")),
      unknown(3, 6, { kind: "swap", expected: "a", value: "b", isDone: undefined }),
      op(7, 8, read("b")),
    ],
  };
  for (const [name, history] of Object.entries(right))
    it(`finds nothing wrong with ${name}`, () => equal(inexplicable(register, history), undefined));

  const wrong: Readonly<Record<string, readonly Op[]>> = {
    "a read of what nobody wrote": [op(1, 2, read("a"))],
    "a lost write": [op(1, 2, write("a")), op(3, 4, read(undefined))],
    "a read of what was overwritten before": [op(1, 2, write("a")), op(3, 4, write("b")), op(5, 6, read("a"))],
    "a value that was there and then not yet": [op(1, 10, write("a")), op(2, 3, read("a")), op(4, 5, read(undefined))],
    "two swaps of one value": [op(1, 4, swap(undefined, "a", true)), op(2, 3, swap(undefined, "b", true))],
    "a swap refused for no reason": [op(1, 2, write("a")), op(3, 4, swap("a", "b", false))],
    "a swap that was refused and done": [op(1, 2, write("a")), op(3, 4, swap("b", "c", false)), op(5, 6, read("c"))],
    "a write without an answer that is seen, and then not": [
      unknown(1, Number.POSITIVE_INFINITY, write("a")),
      op(2, 3, read("a")),
      op(4, 5, read(undefined)),
    ],
    "a write that takes effect when it can't any more": [
      unknown(1, 4, write("a")),
      op(5, 6, read(undefined)),
      op(7, 8, read("a")),
    ],
    "a write without an answer that takes effect twice": [
      unknown(1, Number.POSITIVE_INFINITY, write("a")),
      op(2, 3, read("a")),
      op(4, 5, write("b")),
      op(6, 7, read("a")),
    ],
    "revisions in another order than the changes": [op(1, 2, write("a", 7)), op(3, 4, write("b", 6))],
  };
  for (const [name, history] of Object.entries(wrong))
    it(`refuses ${name}`, () => match(inexplicable(register, history) ?? "", /when all before left/));

  it("says what can't be explained", () => {
    const history = [op(1, 2, write("a")), op(3, 6, write("b")), op(4, 5, read("c"))];
    equal(inexplicable(register, history), '{"kind":"read","value":"c"} at 4–5, when all before left a at 0');
  });

  it("judges short histories as trying every order does", () => {
    fc.assert(
      fc.property(histories, (history) => {
        equal(inexplicable(register, history) === undefined, isInSomeOrder(history));
      }),
      { numRuns: 3_000 },
    );
  });

  it("meets both right and wrong histories among them", () => {
    const verdicts = fc.sample(histories, 500).map((history) => isInSomeOrder(history));
    deepEqual(new Set(verdicts), new Set([true, false]));
  });
});

const values = fc.constantFrom("a", "b", undefined);
const calls: fc.Arbitrary<RegisterCall> = fc.oneof(
  values.map(read),
  values.map((value) => write(value)),
  fc.record({ kind: fc.constant("swap" as const), expected: values, value: values, isDone: fc.boolean() }),
);
/** Up to six operations with their calls and answers in any order. */
const histories: fc.Arbitrary<Op[]> = fc
  .array(fc.record({ call: calls, isUnknown: fc.boolean(), isEndless: fc.boolean() }), { minLength: 1, maxLength: 6 })
  .chain((operations) => {
    const moments = fc.shuffledSubarray(
      operations.flatMap((_, at) => [at, at]).map((at, index) => ({ at, index })),
      { minLength: operations.length * 2 },
    );
    return moments.map((order) =>
      operations.map(({ call, isUnknown, isEndless }, at): Op => {
        const [invokedAt = 0, returnedAt = 0] = order.flatMap((moment, time) => (moment.at === at ? [time] : []));
        if (!isUnknown) return op(invokedAt, returnedAt, call);
        const untold: RegisterCall = call.kind === "swap" ? { ...call, isDone: undefined } : call;
        return unknown(invokedAt, isEndless ? Number.POSITIVE_INFINITY : returnedAt, untold);
      }),
    );
  });

/** The definition itself: picks, again and again, any operation before which no other was over, and may leave out what got no answer. */
function isInSomeOrder(history: readonly Op[], state: RegisterState = register.initial): boolean {
  if (history.every(({ isUnknown }) => isUnknown)) return true;
  const firstEnd = Math.min(...history.map(({ returnedAt }) => returnedAt));
  return history.some((candidate) => {
    const rest = history.filter((each) => each !== candidate);
    if (candidate.isUnknown && isInSomeOrder(rest, state)) return true;
    if (candidate.invokedAt > firstEnd) return false;
    const next = register.step(state, candidate.call);
    return next !== undefined && isInSomeOrder(rest, next);
  });
}
