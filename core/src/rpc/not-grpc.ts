import type { RequestHead } from "./http2/message-head.ts";
import { Prefix } from "./http2/protocol.ts";
import type { Stream, StreamEvents } from "./http2/stream.ts";

/** Whether a request is a call: gRPC, or Micro's JSON and protobuf without the gRPC name (wire §2.2). */
export function isGrpc({ method }: RequestHead, contentType: string): boolean {
  return method === "POST" && /^application\/(grpc|json|proto)/.test(contentType);
}

const hint = Buffer.from("this port speaks gRPC; the HTTP gateway is on another one\n");

/** Answers what isn't a call when it has come whole: 405 for another method, 415 for another content type (gRPC over HTTP/2, Requests). */
export class NotGrpc implements StreamEvents {
  readonly #stream: Stream;
  readonly #method: string;

  constructor(stream: Stream, { method }: RequestHead) {
    this.#stream = stream;
    this.#method = method;
  }

  onEnd(): void {
    const status = this.#method === "POST" ? "415" : "405";
    const isHead = this.#method === "HEAD";
    const fields = [":status", status, "content-type", "text/plain", "content-length", String(hint.length)];
    this.#stream.sendHeaders(fields, isHead);
    if (!isHead) this.#stream.write(Prefix.none, hint, true);
  }

  onData(_: Buffer, start: number, end: number): void {
    this.#stream.consumed(end - start);
  }

  onHeaders(): void {}
  onWritable(): void {}
  onClose(): void {}
}
