import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { movedWith, packJobs, packOutcomes, unpackJobs, unpackOutcomes } from "./packed.ts";
import type { Job, Outcome, SqlValue, Statement } from "./protocol.ts";

const anyBytes = fc.uint8Array({ maxLength: 40 });
const anyValue: fc.Arbitrary<SqlValue> = fc.oneof(
  fc.constant(null),
  fc.integer(),
  fc.double(),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.string({ unit: "binary" }),
  anyBytes,
  fc.integer({ min: 0, max: 3 }).map((byte) => new Uint8Array(20_000).fill(byte)),
  // As it is cut from what a socket has read.
  anyBytes.map((bytes) =>
    new Uint8Array(Buffer.concat([Buffer.from("before"), bytes, Buffer.from("after")])).subarray(6, 6 + bytes.length),
  ),
);
const anyParams = fc.array(anyValue, { maxLength: 8 });
const anyStatement: fc.Arbitrary<Statement> = fc.record({ sql: fc.constantFrom("a", "b", "c"), params: anyParams });
const anyJobs: fc.Arbitrary<Job[]> = fc.array(fc.array(anyStatement, { maxLength: 4 }), { maxLength: 20 });
/** All rows of a statement have as many columns. */
const anyRows = fc
  .integer({ min: 1, max: 4 })
  .chain((columns) => fc.array(fc.array(anyValue, { minLength: columns, maxLength: columns }), { maxLength: 4 }));
const anyOutcome: fc.Arbitrary<Outcome> = fc.oneof(
  fc.array(anyRows, { maxLength: 4 }).map((rows) => ({ rows })),
  fc.constant({ isUnmet: true } as const),
  fc.tuple(fc.integer(), fc.string()).map(([code, message]) => ({ failure: { code, message } })),
);

describe("what travels between the threads", () => {
  it("is, for jobs, the same statements and values in the same order", () => {
    const numberOf = ({ sql }: Statement) => "abc".indexOf(sql);
    const isSame = (jobs: Job[]) => {
      const packed = packJobs(jobs, numberOf);
      const { buffer, length } = packed.bytes;
      const arrived = unpackJobs(structuredClone(packed, { transfer: length > 0 ? [buffer] : [] }));
      const sent = jobs.map((job) => job.map((statement) => [numberOf(statement), statement.params.map(plain)]));
      assert.deepEqual(
        arrived.map((job) => job.map(([id, params]) => [id, params.map(plain)])),
        sent,
      );
    };
    fc.assert(fc.property(anyJobs, isSame));
  });

  it("is, for outcomes, the same rows, failures and unmet conditions in the same order", () => {
    const isSame = (outcomes: Outcome[]) => {
      const sent = outcomes.map(plainOutcome);
      const packed = packOutcomes(outcomes);
      const arrived = unpackOutcomes(structuredClone(packed, { transfer: movedWith(packed) }));
      assert.deepEqual(arrived.map(plainOutcome), sent);
    };
    fc.assert(fc.property(fc.array(anyOutcome, { maxLength: 20 }), isSame));
  });
});

/** Views of the same bytes compare as equal. */
function plain(value: SqlValue): SqlValue | readonly number[] {
  return value instanceof Uint8Array ? [...value] : value;
}

function plainOutcome(outcome: Outcome): unknown {
  return "rows" in outcome ? outcome.rows.map((rows) => rows.map((row) => row.map(plain))) : outcome;
}
