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

/** How long an answer waits for the rest of its request. */
const patienceMs = 100;

/** Answers what isn't a call when it has come whole, and soon in any case: a stream of another protocol may wait for the answer before it goes on. */
export class NotGrpc implements StreamEvents {
  readonly #stream: CallStream;
  readonly #answer: HttpAnswer;
  readonly #patience: NodeJS.Timeout;
  #isAnswered = false;

  constructor(stream: CallStream, answer: HttpAnswer) {
    this.#stream = stream;
    this.#answer = answer;
    this.#patience = setTimeout(() => this.#respond(), patienceMs);
  }

  onEnd(): void {
    clearTimeout(this.#patience);
    this.#respond();
  }

  #respond(): void {
    if (this.#isAnswered) return;
    this.#isAnswered = true;
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

  onClose(): void {
    clearTimeout(this.#patience);
  }
}
