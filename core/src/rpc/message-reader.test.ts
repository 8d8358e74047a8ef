import { deepEqual, equal, ok } from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { status } from "../../../testing/src/calls.ts";
import { GrpcStatus } from "../errors.ts";
import { MessageReader } from "./message-reader.ts";

interface Sent {
  readonly bytes: Uint8Array;
  readonly isCompressed: boolean;
}

function framed({ bytes, isCompressed }: Sent): Buffer {
  const prefix = Buffer.alloc(5);
  prefix[0] = isCompressed ? 1 : 0;
  prefix.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([prefix, bytes]);
}

/** What a reader makes of messages that come in pieces of these sizes, in turn. */
class Reading {
  readonly messages: { bytes: string; isCompressed: boolean }[] = [];
  wireBytes = 0;
  readonly reader: MessageReader;

  constructor(maxBytes: number) {
    this.reader = new MessageReader(maxBytes, {
      onMessage: (message, isCompressed, wireBytes) => {
        this.messages.push({ bytes: Buffer.from(message).toString("latin1"), isCompressed });
        this.wireBytes += wireBytes;
      },
    });
  }

  push(whole: Buffer, pieces: readonly number[]): void {
    for (let at = 0, n = 0; at < whole.length; n++) {
      const length = Math.min(whole.length - at, pieces[n % pieces.length] ?? whole.length);
      // In the middle of something else, as a frame stands in a chunk.
      const around = Buffer.concat([Buffer.alloc(3, 0xff), whole.subarray(at, at + length), Buffer.alloc(3, 0xff)]);
      this.reader.push(around, 3, 3 + length);
      at += length;
    }
  }
}

const message = fc.record({
  bytes: fc.oneof(
    fc.uint8Array({ maxLength: 30 }),
    fc.integer({ min: 0, max: 100_000 }).map((length) => Buffer.alloc(length, length)),
  ),
  isCompressed: fc.boolean(),
});
const pieces = fc.oneof(
  fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1 }),
  fc.array(fc.integer({ min: 1, max: 100_000 }), { minLength: 1 }),
);

describe("MessageReader", () => {
  it("finds the same messages however their bytes are cut, and accounts for each byte", () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 6 }), pieces, (sent, sizes) => {
        const whole = Buffer.concat(sent.map(framed));
        // Small pieces of long messages take their time and say nothing new.
        fc.pre(whole.length < 20_000 || sizes.every((size) => size > 500));
        const reading = new Reading(100_000);
        reading.push(whole, sizes);
        deepEqual(
          reading.messages,
          sent.map(({ bytes, isCompressed }) => ({ bytes: Buffer.from(bytes).toString("latin1"), isCompressed })),
        );
        equal(reading.wireBytes, whole.length);
        ok(!reading.reader.isInsideMessage);
        equal(reading.reader.assemblyBytes, 0);
        equal(reading.reader.takeHeld(), 0);
      }),
      { numRuns: 300 },
    );
  });

  it("knows at every byte whether it is inside a message, and what of it counts", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20), { minLength: 1, maxLength: 5 }), (lengths) => {
        const reading = new Reading(20);
        let given = 0;
        for (const length of lengths) {
          const whole = framed({ bytes: Buffer.alloc(length), isCompressed: false });
          for (let n = 0; n < whole.length; n++) {
            reading.reader.push(whole, n, n + 1);
            given += reading.reader.takeHeld();
            equal(reading.reader.isInsideMessage, n + 1 < whole.length);
          }
        }
        equal(given + reading.wireBytes, lengths.length * 5 + lengths.reduce((sum, length) => sum + length, 0));
        equal(reading.messages.length, lengths.length);
      }),
    );
  });

  it("takes a message at the limit, and refuses one a byte longer by its prefix alone", () => {
    const tooLarge = status(GrpcStatus.resourceExhausted, /a message of \d+ bytes is over .* \(maxMessageBytes\)/);
    fc.assert(
      fc.property(fc.nat(100_000), pieces, (maxBytes, sizes) => {
        fc.pre(maxBytes < 10_000 || sizes.every((size) => size > 500));
        const reading = new Reading(maxBytes);
        reading.push(framed({ bytes: Buffer.alloc(maxBytes), isCompressed: false }), sizes);
        equal(reading.messages.length, 1);
        const prefix = framed({ bytes: Buffer.alloc(maxBytes + 1), isCompressed: false }).subarray(0, 5);
        ok(fails(() => reading.push(prefix, sizes), tooLarge));
      }),
      { numRuns: 200 },
    );
  });

  it("takes no memory for what a message only claims to be", () => {
    const before = process.memoryUsage().arrayBuffers;
    for (let n = 0; n < 100; n++) {
      const { reader } = new Reading(2 ** 31);
      reader.push(Buffer.from([0, 0x7f, 0xff, 0xff, 0xff, 1]), 0, 6);
      ok(reader.isInsideMessage);
    }
    ok(process.memoryUsage().arrayBuffers - before < 50 * 1024 * 1024);
  });

  it("refuses a prefix with flags that there are not", () => {
    const malformed = status(GrpcStatus.internal, /flags 0x/);
    for (let flags = 2; flags < 256; flags++)
      ok(fails(() => new Reading(10).push(Buffer.from([flags, 0, 0, 0, 0]), [1 + (flags % 5)]), malformed));
  });
});

function fails(act: () => void, isRight: (error: unknown) => boolean): boolean {
  try {
    act();
    return false;
  } catch (error) {
    return isRight(error);
  }
}
