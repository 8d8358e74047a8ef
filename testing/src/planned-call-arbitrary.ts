import fc from "fast-check";
import type { Manner, PlannedCall } from "./planned-call.ts";

const value = fc
  .string({ unit: fc.constantFrom(..."abcXYZ019 -_.,;:/%~!\"'"), maxLength: 12 })
  .map((text) => text.trim());

/** Header fields that mean nothing to gRPC; the same name may come again. */
export const metadata: fc.Arbitrary<(readonly [string, string])[]> = fc.array(
  fc.tuple(fc.constantFrom("x-a", "x-b", "x-long-name", "y"), value),
  { maxLength: 5 },
);

export const messages: fc.Arbitrary<Uint8Array[]> = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.uint8Array({ maxLength: 40 }) },
    { weight: 1, arbitrary: fc.integer({ min: 1000, max: 5000 }).map((length) => Buffer.alloc(length, length)) },
  ),
  { maxLength: 4 },
);

export const manner: fc.Arbitrary<Manner> = fc.record({
  pieces: fc.array(fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 100, max: 6000 })), {
    minLength: 1,
    maxLength: 4,
  }),
  paddings: fc.array(fc.constantFrom(-1, -1, 0, 1, 17, 255), { minLength: 1, maxLength: 4 }),
  cuts: fc.array(fc.nat(300), { maxLength: 3 }),
  hasPriority: fc.boolean(),
  end: fc.constantFrom("data", "empty", "trailers"),
});

export const plannedCall: fc.Arbitrary<PlannedCall> = fc.record({
  metadata,
  messages,
  manner,
  resetAfter: fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fc.nat(3) }),
});
