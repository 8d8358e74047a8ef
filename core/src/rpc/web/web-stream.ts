import type { CallStream } from "../call-stream.ts";
import { prefixOf } from "../http2/frame-writer.ts";
import { Prefix } from "../http2/protocol.ts";
import type { StreamClose, StreamEvents } from "../http2/stream.ts";
import { Base64Decoder } from "./base64-decoder.ts";
import { trailersFrame } from "./trailers-frame.ts";
import type { WebType } from "./web-type.ts";

/** What the stream tells its call. */
export interface WebCall extends StreamEvents {
  /** The body can't be read: the call ends with the reason. */
  fail(reason: unknown): void;
}

export interface WebStreamOptions {
  readonly type: WebType;
  /** The fields of CORS for an answer that has the metadata named. */
  corsFields(names: readonly string[]): readonly string[];
}

/**
 * gRPC-Web over a stream of HTTP (PROTOCOL-WEB.md): what gRPC's call says in trailers goes into the last frame of the body, and bodies in text
 * are base64. To the call it is a stream like any other.
 */
export class WebStream implements CallStream, StreamEvents {
  readonly #carrier: CallStream;
  readonly #options: WebStreamOptions;
  readonly #decoder: Base64Decoder | undefined;
  #call: WebCall | undefined;
  /** Of what came in base64 and the call hasn't consumed: bytes on the wire, and bytes decoded. */
  #wireBytes = 0;
  #decodedBytes = 0;
  #isFailed = false;

  constructor(carrier: CallStream, options: WebStreamOptions) {
    this.#carrier = carrier;
    this.#options = options;
    this.#decoder = options.type.isText ? new Base64Decoder() : undefined;
  }

  /** Sets who is told what comes. */
  carry(call: WebCall): void {
    this.#call = call;
  }

  get connection(): CallStream["connection"] {
    return this.#carrier.connection;
  }

  get isClosed(): boolean {
    return this.#carrier.isClosed;
  }

  sendHeaders(fields: readonly string[], isEnd: boolean): void {
    const answer = [":status", "200", "content-type", this.#options.type.answerType];
    const names: string[] = [];
    for (let at = 0; at < fields.length; at += 2) {
      const name = fields[at] as string;
      if (name === ":status") answer[1] = fields[at + 1] as string;
      // The body of a node's answer has another length and type here.
      if (name.startsWith(":") || name === "content-type" || name === "content-length") continue;
      answer.push(name, fields[at + 1] as string);
      names.push(name);
    }
    answer.push(...this.#options.corsFields(names));
    this.#carrier.sendHeaders(answer, isEnd);
  }

  write(prefix: Prefix, body: Uint8Array, isEnd: boolean): boolean {
    if (!this.#options.type.isAnswerText) return this.#carrier.write(prefix, body, isEnd);
    const whole = prefix === Prefix.none ? bufferOf(body) : Buffer.concat([prefixOf(prefix, body.length), body]);
    return this.#carrier.write(Prefix.none, Buffer.from(whole.toString("base64"), "latin1"), isEnd);
  }

  sendTrailers(fields: readonly string[]): void {
    this.write(Prefix.none, trailersFrame(fields), true);
  }

  consumed(bytes: number): void {
    if (this.#decoder === undefined) {
      this.#carrier.consumed(bytes);
      return;
    }
    this.#decodedBytes = Math.max(0, this.#decodedBytes - bytes);
    const left = Math.ceil((this.#decodedBytes * 4) / 3);
    if (left >= this.#wireBytes) return;
    this.#carrier.consumed(this.#wireBytes - left);
    this.#wireBytes = left;
  }

  onHeaders(): void {}

  onData(bytes: Buffer, start: number, end: number): void {
    if (this.#decoder === undefined) this.#call?.onData(bytes, start, end);
    else if (this.#isFailed) this.#carrier.consumed(end - start);
    else this.#decode(this.#decoder, bytes, start, end);
  }

  #decode(decoder: Base64Decoder, bytes: Buffer, start: number, end: number): void {
    this.#wireBytes += end - start;
    try {
      this.#pass(decoder.push(bytes, start, end));
    } catch (reason) {
      this.#fail(reason);
    }
  }

  #pass(decoded: Buffer): void {
    this.#decodedBytes += decoded.length;
    if (decoded.length > 0) this.#call?.onData(decoded, 0, decoded.length);
    else this.consumed(0);
  }

  #fail(reason: unknown): void {
    this.#isFailed = true;
    this.#carrier.consumed(this.#wireBytes);
    this.#call?.fail(reason);
  }

  onEnd(): void {
    try {
      if (this.#decoder !== undefined && !this.#isFailed) this.#pass(this.#decoder.end());
    } catch (reason) {
      this.#fail(reason);
    }
    this.#call?.onEnd(undefined);
  }

  onWritable(): void {
    this.#call?.onWritable();
  }

  onClose(close: StreamClose | undefined): void {
    this.#call?.onClose(close);
  }
}

function bufferOf({ buffer, byteOffset, length }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, length);
}
