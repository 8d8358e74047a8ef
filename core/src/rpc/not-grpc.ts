import type { RequestHead } from "./http2/message-head.ts";
import type { Stream, StreamEvents } from "./http2/stream.ts";

/** Whether a request is a call: gRPC, or Micro's JSON and protobuf without the gRPC name (wire §2.2). */
export function isGrpc({ method }: RequestHead, contentType: string): boolean {
  return method === "POST" && /^application\/(grpc|json|proto)/.test(contentType);
}

const hint = Buffer.from("this port speaks gRPC; the HTTP gateway is on another one\n");

/** Answers what isn't a call: 405 for another method, 415 for another content type (gRPC over HTTP/2, Requests). */
export function answerOtherwise(stream: Stream, { method }: RequestHead): StreamEvents {
  const status = method === "POST" ? "415" : "405";
  const body = method === "HEAD" ? new Uint8Array(0) : hint;
  const rest = new Rest(stream);
  stream.events = rest;
  stream.sendHeaders(
    [":status", status, "content-type", "text/plain", "content-length", String(hint.length)],
    body.length === 0,
  );
  if (body.length > 0) stream.write(undefined, body, true);
  return rest;
}

/** The rest of a request that nobody reads. */
class Rest implements StreamEvents {
  readonly #stream: Stream;

  constructor(stream: Stream) {
    this.#stream = stream;
  }

  onHeaders(): void {}

  onData(_: Buffer, start: number, end: number): void {
    this.#stream.consumed(end - start);
  }

  onEnd(): void {}
  onWritable(): void {}
  onClose(): void {}
}
