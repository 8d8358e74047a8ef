import type { CallStream } from "./call-stream.ts";
import { Prefix } from "./http2/protocol.ts";
import type { StreamEvents } from "./http2/stream.ts";

/** An answer in HTTP to what isn't a call. */
export interface HttpAnswer {
  readonly status: string;
  /** Empty: no body. */
  readonly text: string;
  /** Name, value, name, value … */
  readonly fields: readonly string[];
  /** As HEAD wants it: the headers alone. */
  readonly isHead: boolean;
}

/** Answers what isn't a call when it has come whole. */
export class NotGrpc implements StreamEvents {
  readonly #stream: CallStream;
  readonly #answer: HttpAnswer;

  constructor(stream: CallStream, answer: HttpAnswer) {
    this.#stream = stream;
    this.#answer = answer;
  }

  onEnd(): void {
    const { status, text, fields, isHead } = this.#answer;
    const body = Buffer.from(text === "" ? "" : `${text}\n`);
    const about = ["content-type", "text/plain", "x-content-type-options", "nosniff"];
    const isBodyless = isHead || text === "";
    this.#stream.sendHeaders(
      [":status", status, ...(text === "" ? [] : [...about, "content-length", String(body.length)]), ...fields],
      isBodyless,
    );
    if (!isBodyless) this.#stream.write(Prefix.none, body, true);
  }

  onData(_: Buffer, start: number, end: number): void {
    this.#stream.consumed(end - start);
  }

  onHeaders(): void {}
  onWritable(): void {}
  onClose(): void {}
}
