import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readReplies } from "./read-replies.ts";

const encoder = new TextEncoder();

describe("readReplies", () => {
  it("puts lines together from chunks cut anywhere", async () => {
    const bytes = encoder.encode('{"a":"ü"}\n{"a":2}\n');
    const batches = await read(Array.from(bytes, (byte) => Uint8Array.of(byte)));
    assert.deepEqual(
      batches.replies.map(({ number, text }) => [number, JSON.parse(text)]),
      [
        [1, { a: "ü" }],
        [2, { a: 2 }],
      ],
    );
  });

  it("takes the server's error for an error and a service's for a reply", async () => {
    const error = { id: "clock", code: 500, detail: "broke", status: "Internal Server Error" };
    const lines = `{"error":"mine"}\n${JSON.stringify({ error })}\n`;
    const { replies, error: found } = await read([encoder.encode(lines)]);
    assert.equal(replies.length, 1);
    assert.deepEqual(found, error);
  });

  it("throws when the connection breaks, after what came before", async () => {
    const body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => controller.enqueue(encoder.encode("1\n")),
        pull: (controller) => controller.error(new TypeError("network error")),
      },
      { highWaterMark: 0 },
    );
    await assert.rejects(collect(body), TypeError);
  });
});

function read(chunks: Uint8Array[]) {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
  return collect(body);
}

async function collect(body: ReadableStream<Uint8Array>) {
  const replies = [];
  let error: unknown;
  for await (const batch of readReplies(body, () => performance.now())) {
    replies.push(...batch.replies);
    error ??= batch.error;
  }
  return { replies, error };
}
