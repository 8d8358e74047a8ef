import type { Http2Stream } from "node:http2";

/** gRPC messages on streams of `node:http2`, for tests that speak to us as something else than a gRPC library. */

/** A message with its prefix. */
export function frameMessage(message: Uint8Array): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

/** The messages that a peer sends. Throws when they end inside one. */
export async function* readMessages(stream: Http2Stream): AsyncGenerator<Buffer, void, undefined> {
  let pending = Buffer.alloc(0);
  for await (const chunk of chunksOf(stream)) {
    pending = Buffer.concat([pending, chunk]);
    while (pending.length >= 5 && pending.length >= 5 + pending.readUInt32BE(1)) {
      const end = 5 + pending.readUInt32BE(1);
      yield pending.subarray(5, end);
      pending = pending.subarray(end);
    }
  }
  if (pending.length > 0) throw new Error("the stream ended inside a message");
}

/**
 * The bytes a peer sends, to their end. Throws when the stream is closed before that. Node's own iterator would also throw, and drop what it has
 * buffered, when a server resets the stream after its whole answer because this side hasn't half-closed (RFC 9113 §8.1).
 */
async function* chunksOf(stream: Http2Stream): AsyncGenerator<Buffer, void, undefined> {
  let wake = () => {};
  const onChange = () => wake();
  for (const event of ["readable", "end", "close"]) stream.on(event, onChange);
  try {
    for (;;) {
      const chunk: Buffer | null = stream.read();
      if (chunk !== null) {
        yield chunk;
        continue;
      }
      if (stream.readableEnded) return;
      if (stream.destroyed) throw new DOMException("the stream was closed before its end", "AbortError");
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    for (const event of ["readable", "end", "close"]) stream.off(event, onChange);
  }
}
