import type { ClientConnection } from "./http2/client-connection.ts";
import { ErrorCode, Prefix } from "./http2/protocol.ts";
import type { Stream, StreamClose, StreamEvents } from "./http2/stream.ts";

/** Finds a stream for a call: now, or when there is room. */
export interface StreamSource {
  open(call: Outgoing): void;
  /** Forgets a call that waits for a stream. */
  forget(call: Outgoing): void;
}

/** Kept of a call until the server has answered, to send it again. */
const maxReplayBytes = 256 * 1024;
const maxAttempts = 3;

interface Sent {
  readonly prefix: Prefix;
  readonly body: Uint8Array;
  readonly isEnd: boolean;
}

/**
 * The client's end of a call, from the wish for a stream to its end. Waits for a connection with room, and goes to another one when the
 * server says that it has done nothing with the stream (transparent retry, gRPC A6).
 */
export abstract class Outgoing implements StreamEvents {
  readonly fields: readonly string[];
  readonly waitForReady: boolean;
  protected stream: Stream | undefined = undefined;
  readonly #source: StreamSource;
  /** The first piece sent, in three fields: most calls have one only. */
  #firstPrefix: Prefix = Prefix.none;
  #firstBody: Uint8Array | undefined = undefined;
  #isFirstEnd = false;
  #more: Sent[] | undefined = undefined;
  #sentBytes = 0;
  #attempts = 1;
  #isAnswered = false;
  #isOver = false;

  constructor(source: StreamSource, fields: readonly string[], waitForReady: boolean) {
    this.#source = source;
    this.fields = fields;
    this.waitForReady = waitForReady;
  }

  /** The call is over, told once; undefined when both sides ended it in order. */
  protected abstract onOver(close: StreamClose | undefined): void;
  abstract onData(bytes: Buffer, start: number, end: number): void;
  abstract onEnd(trailers: string[] | undefined): void;
  abstract onWritable(): void;
  /** Response headers came; with `isEnd` they hold the status (gRPC over HTTP/2, Trailers-Only). */
  protected abstract onResponse(fields: string[], isEnd: boolean): void;

  protected open(): void {
    this.#source.open(this);
  }

  /** The source has found a connection with room. */
  attach(connection: ClientConnection): void {
    const maxBytes = connection.peer.maxHeaderListSize;
    if (listBytes(this.fields) > maxBytes) {
      this.failed(tooLarge(maxBytes));
      return;
    }
    const stream = connection.request(this.fields, this);
    this.stream = stream;
    if (this.#firstBody === undefined) return;
    let isRoom = stream.write(this.#firstPrefix, this.#firstBody, this.#isFirstEnd);
    if (this.#more !== undefined)
      for (const { prefix, body, isEnd } of this.#more) isRoom = stream.write(prefix, body, isEnd);
    if (isRoom && !stream.isLocalEnded) this.onWritable();
  }

  /** The source has given up. */
  failed(close: StreamClose): void {
    this.#over(close);
  }

  /**
   * Sends part of the request; false when it has to wait, and `onWritable` follows. `isLent`: the caller may change the body once it has gone,
   * not only after the answer.
   */
  protected write(prefix: Prefix, body: Uint8Array, isEnd: boolean, isLent = false): boolean {
    if (this.#isOver) return true;
    const { stream } = this;
    if (!this.#isAnswered) this.#keep(prefix, body, isEnd, isLent);
    return stream === undefined ? false : stream.write(prefix, body, isEnd);
  }

  /** What was sent before there is an answer can be sent again, as long as it is little. Without a stream it must be kept. */
  #keep(prefix: Prefix, given: Uint8Array, isEnd: boolean, isLent: boolean): void {
    this.#sentBytes += given.length;
    if (this.#sentBytes > maxReplayBytes && this.stream !== undefined) {
      this.#isAnswered = true;
      this.#drop();
      return;
    }
    const body = isLent ? new Uint8Array(given) : given;
    if (this.#firstBody === undefined) {
      this.#firstPrefix = prefix;
      this.#firstBody = body;
      this.#isFirstEnd = isEnd;
    } else if (this.#more === undefined) this.#more = [{ prefix, body, isEnd }];
    else this.#more.push({ prefix, body, isEnd });
  }

  #drop(): void {
    this.#firstBody = this.#more = undefined;
  }

  protected consumed(bytes: number): void {
    this.stream?.consumed(bytes);
  }

  /** Ends the call: resets its stream, or takes it back when it has none yet. */
  protected abandon(code: number): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#drop();
    const { stream } = this;
    if (stream === undefined) this.#source.forget(this);
    // A stream that both sides have ended closes by itself.
    else if (!stream.isRemoteEnded || !stream.isLocalEnded) stream.reset(code);
  }

  onHeaders(fields: string[], isEnd: boolean): void {
    this.#isAnswered = true;
    this.#drop();
    this.onResponse(fields, isEnd);
  }

  onClose(close: StreamClose | undefined): void {
    if (this.#isOver) return;
    if (close?.isUnprocessed && !this.#isAnswered && this.#attempts < maxAttempts) {
      this.#attempts++;
      this.stream = undefined;
      this.#source.open(this);
      return;
    }
    this.#over(close);
  }

  #over(close: StreamClose | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#drop();
    this.onOver(close);
  }
}

/** The size of a header list as SETTINGS_MAX_HEADER_LIST_SIZE counts it (RFC 9113 §6.5.2). */
function listBytes(fields: readonly string[]): number {
  let bytes = fields.length * 16;
  for (let n = 0; n < fields.length; n++) bytes += (fields[n] as string).length;
  return bytes;
}

function tooLarge(maxBytes: number): StreamClose {
  const message = `the metadata is over the ${maxBytes} bytes that the server takes (SETTINGS_MAX_HEADER_LIST_SIZE): send less`;
  return { code: ErrorCode.enhanceYourCalm, message, isRemote: true, isConnectionLost: false, isUnprocessed: false };
}
