import { deepEqual, equal, rejects } from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { frameMessage, readMessages } from "./framing.ts";

const limit = 1000;

async function* cut(bytes: Buffer, sizes: readonly number[]): AsyncGenerator<Buffer> {
  let at = 0;
  for (const size of sizes) {
    if (at >= bytes.length) return;
    yield bytes.subarray(at, at + size);
    at += size;
  }
  if (at < bytes.length) yield bytes.subarray(at);
}

const read = (bytes: Buffer, sizes: readonly number[] = []) => Array.fromAsync(readMessages(cut(bytes, sizes), limit));
const status = (code: number) => (error: { status?: { code: number } }) => error.status?.code === code;

describe("readMessages", () => {
  it("reads any messages from any chunks", async () => {
    const messages = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 10 });
    await fc.assert(
      fc.asyncProperty(messages, fc.array(fc.integer({ min: 0, max: 30 })), async (sent, sizes) => {
        const got = await read(Buffer.concat(sent.map(frameMessage)), sizes);
        deepEqual(
          got.map((message) => [...message]),
          sent.map((message) => [...message]),
        );
      }),
    );
  });

  it("yields each message as soon as it is there", async () => {
    const chunks = Promise.withResolvers<Buffer>();
    const source = async function* () {
      yield Buffer.concat([frameMessage(Buffer.from("first")), Buffer.from([0, 0])]);
      yield await chunks.promise;
    };
    const messages = readMessages(source(), limit);
    equal(String((await messages.next()).value), "first");
    chunks.resolve(Buffer.from([0, 0, 1, 65]));
    equal(String((await messages.next()).value), "A");
    equal((await messages.next()).done, true);
  });

  it("reads a message of the limit and refuses a larger one by its length alone (8)", async () => {
    equal((await read(frameMessage(Buffer.alloc(limit))))[0]?.length, limit);
    await rejects(read(frameMessage(Buffer.alloc(limit + 1)).subarray(0, 5)), status(8));
  });

  it("refuses a compressed message (12)", async () => {
    const frame = frameMessage(Buffer.from("x"));
    frame[0] = 1;
    await rejects(read(frame), status(12));
  });

  it("says when the bytes end inside a message (13)", async () => {
    const frame = frameMessage(Buffer.from("hello"));
    for (let length = 1; length < frame.length; length++) await rejects(read(frame.subarray(0, length)), status(13));
  });

  it("joins a large message once, however small its chunks", async () => {
    const source = async function* () {
      const bytes = frameMessage(Buffer.alloc(4 * 1024 * 1024));
      for (let at = 0; at < bytes.length; at += 1024) yield bytes.subarray(at, at + 1024);
    };
    const began = performance.now();
    const [message] = await Array.fromAsync(readMessages(source(), 8 * 1024 * 1024));
    equal(message?.length, 4 * 1024 * 1024);
    equal(performance.now() - began < 2000, true);
  });
});
