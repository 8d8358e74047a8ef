import type { Http2Stream } from "node:http2";

/**
 * The bytes a peer sends, to their end. Throws when the stream is closed before that. Node's own iterator would also throw, and drop what it has
 * buffered, when a server resets the stream after its whole answer because this side hasn't half-closed (RFC 9113 §8.1).
 */
export async function* chunksOf(stream: Http2Stream): AsyncGenerator<Buffer, void, undefined> {
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
