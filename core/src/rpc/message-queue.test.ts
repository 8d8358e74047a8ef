import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { status } from "../../../testing/src/calls.ts";
import { GrpcStatus } from "../errors.ts";
import type { CallStream } from "./call-stream.ts";
import { defaultLimits } from "./http2/limits.ts";
import { MessageQueue } from "./message-queue.ts";

/** What a queue gives back to the window of its stream. */
class Window implements CallStream {
  readonly connection = { limits: defaultLimits, assemblyBytes: 0 };
  readonly isClosed = false;
  consumedBytes = 0;
  sendHeaders(): void {}
  write(): boolean {
    return true;
  }
  sendTrailers(): void {}
  consumed(bytes: number): void {
    this.consumedBytes += bytes;
  }
}

interface Sent {
  readonly text: string;
  readonly isCompressed: boolean;
}

function framed({ text, isCompressed }: Sent): Buffer {
  const bytes = isCompressed ? gzipSync(text) : Buffer.from(text);
  const prefix = Buffer.alloc(5);
  prefix[0] = isCompressed ? 1 : 0;
  prefix.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([prefix, bytes]);
}

const sent = fc.array(
  fc.record({ text: fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 60 }), isCompressed: fc.boolean() }),
  { maxLength: 8 },
);
/** Pieces of the bytes, and between them how often the reader reads. */
const course = fc.array(fc.record({ bytes: fc.integer({ min: 1, max: 60 }), reads: fc.nat(2) }), { minLength: 1 });

/** Reads one message after the other, without waiting for one before it asks for the next message only when the queue has answered. */
class Reader {
  readonly texts: (string | undefined)[] = [];
  readonly #queue: MessageQueue;
  #last: Promise<void> = Promise.resolve();

  constructor(queue: MessageQueue) {
    this.#queue = queue;
  }

  read(): void {
    this.#last = this.#last.then(async () => {
      const message = await this.#queue.read();
      this.texts.push(message === undefined ? undefined : Buffer.from(message).toString());
    });
  }

  async done(): Promise<void> {
    await this.#last;
  }
}

describe("MessageQueue", () => {
  it("gives the messages in their order, and all their bytes back to the window, however they come and are read", async () => {
    await fc.assert(
      fc.asyncProperty(sent, course, async (messages, pieces) => {
        const window = new Window();
        const queue = new MessageQueue(window, 1000, "gzip");
        const reader = new Reader(queue);
        const whole = Buffer.concat(messages.map(framed));
        let reads = 0;
        for (let at = 0, n = 0; at < whole.length; n++) {
          const piece = pieces[n % pieces.length] ?? { bytes: 1, reads: 0 };
          for (let left = piece.reads; left > 0 && reads < messages.length; left--, reads++) reader.read();
          if (n % 3 === 0) await Promise.resolve();
          queue.push(whole, at, Math.min(whole.length, at + piece.bytes));
          at += piece.bytes;
        }
        queue.end();
        for (; reads <= messages.length; reads++) reader.read();
        await reader.done();
        deepEqual(reader.texts, [...messages.map(({ text }) => text), undefined]);
        equal(window.consumedBytes, whole.length);
        equal(window.connection.assemblyBytes, 0);
        ok(!queue.hasMessage);
      }),
      { numRuns: 400 },
    );
  });

  it("holds back what nobody reads, but for the message that is read next", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10 }), fc.integer({ min: 1, max: 500 }), (count, unfinished) => {
        const window = new Window();
        const queue = new MessageQueue(window, 1000, "identity");
        const whole = framed({ text: "x".repeat(20), isCompressed: false });
        const begun = framed({ text: "y".repeat(600), isCompressed: false }).subarray(0, 5 + unfinished);
        for (let n = 0; n < count; n++) queue.push(whole, 0, whole.length);
        queue.push(begun, 0, begun.length);
        equal(window.consumedBytes, 0);
        equal(window.connection.assemblyBytes, unfinished);
        for (let n = 1; n <= count; n++) {
          void queue.read();
          // With the last one before it, the unfinished message may go on growing.
          equal(window.consumedBytes, n * whole.length + (n === count ? begun.length : 0));
        }
      }),
    );
  });

  it("gives what came before a failure, and then the failure, again and again", async () => {
    await fc.assert(
      fc.asyncProperty(sent, fc.boolean(), async (messages, isWaiting) => {
        const window = new Window();
        const queue = new MessageQueue(window, 1000, "gzip");
        const reason = new Error("it broke");
        const waiting = isWaiting ? Promise.resolve(queue.read()) : undefined;
        for (const each of messages) queue.push(framed(each), 0, framed(each).length);
        queue.push(framed({ text: "unfinished", isCompressed: false }), 0, 9);
        queue.fail(reason);
        const texts: string[] = [];
        const failsAt = async (reading: Promise<Uint8Array | undefined>) => {
          try {
            texts.push(Buffer.from((await reading) ?? Buffer.alloc(0)).toString());
            return false;
          } catch (error) {
            equal(error, reason);
            return true;
          }
        };
        let failed = waiting !== undefined && (await failsAt(waiting));
        while (!failed) failed = await failsAt(Promise.resolve(queue.read()));
        deepEqual(
          texts,
          messages.map(({ text }) => text),
        );
        await rejects(async () => await queue.read(), reason);
        equal(window.connection.assemblyBytes, 0);
      }),
      { numRuns: 200 },
    );
  });

  it("fails with INTERNAL when the stream ends inside a message, at every byte", async () => {
    const whole = framed({ text: "message", isCompressed: false });
    for (let length = 1; length < whole.length; length++) {
      const queue = new MessageQueue(new Window(), 1000, "identity");
      queue.push(whole, 0, length);
      queue.end();
      await rejects(async () => await queue.read(), status(GrpcStatus.internal, /inside a message/));
    }
  });
});
