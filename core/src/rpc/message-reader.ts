import { GrpcStatus } from "../errors.ts";
import { prefixBytes } from "./http2/protocol.ts";
import { StatusError } from "./transport.ts";

/** Takes whole messages. `wireBytes` of the stream's window belong to the message until it has been read. */
export interface MessageSink {
  onMessage(message: Uint8Array, isCompressed: boolean, wireBytes: number): void;
}

/** A message may claim to be long: memory is taken as its bytes come. */
const firstAllocationBytes = 64 * 1024;

/**
 * Cuts the DATA of a call into messages (gRPC over HTTP/2, Length-Prefixed-Message). One that lies whole in a frame is a view of it, so
 * who keeps a message for long should copy it; others are put together.
 */
export class MessageReader {
  readonly #maxBytes: number;
  readonly #sink: MessageSink;
  #prefix: Uint8Array = none;
  #prefixFilled = 0;
  #length = -1;
  #isCompressed = false;
  #message: Buffer = none;
  #filled = 0;
  #heldBytes = 0;

  constructor(maxBytes: number, sink: MessageSink) {
    this.#maxBytes = maxBytes;
    this.#sink = sink;
  }

  /** Whether a message has begun and isn't whole. */
  get isInsideMessage(): boolean {
    return this.#prefixFilled > 0 || this.#length >= 0;
  }

  /** Bytes of the message being put together. */
  get assemblyBytes(): number {
    return this.#filled;
  }

  /** The bytes of the unfinished message that count against the stream's window; they don't any longer. */
  takeHeld(): number {
    const held = this.#heldBytes;
    this.#heldBytes = 0;
    return held;
  }

  /** Throws a StatusError: 8 for a message over the limit, 13 for a malformed prefix. */
  push(bytes: Buffer, start: number, end: number): void {
    let at = start;
    while (at < end) {
      if (this.#length < 0 && this.#prefixFilled === 0 && end - at >= prefixBytes) {
        this.#begin(bytes, at);
        at += prefixBytes;
        if (this.#length <= end - at) {
          at = this.#emitView(bytes, at);
          continue;
        }
        this.#heldBytes += prefixBytes;
      } else if (this.#length < 0) {
        at = this.#fillPrefix(bytes, at, end);
        if (this.#length < 0) continue;
      }
      at = this.#fill(bytes, at, end);
    }
  }

  #begin(prefix: Uint8Array, at: number): void {
    const flags = prefix[at] as number;
    if (flags > 1) throw failure(GrpcStatus.internal, `a message begins with the flags 0x${flags.toString(16)}`);
    const length = lengthAt(prefix, at + 1);
    if (length > this.#maxBytes)
      throw failure(
        GrpcStatus.resourceExhausted,
        `a message of ${length} bytes is over the limit of ${this.#maxBytes} bytes (maxMessageBytes)`,
      );
    this.#isCompressed = flags === 1;
    this.#length = length;
  }

  #emitView(bytes: Buffer, at: number): number {
    const end = at + this.#length;
    this.#length = -1;
    this.#sink.onMessage(bytes.subarray(at, end), this.#isCompressed, prefixBytes + end - at);
    return end;
  }

  #fillPrefix(bytes: Buffer, from: number, end: number): number {
    if (this.#prefixFilled === 0) this.#prefix = new Uint8Array(prefixBytes);
    let at = from;
    while (at < end && this.#prefixFilled < prefixBytes) this.#prefix[this.#prefixFilled++] = bytes[at++] as number;
    this.#heldBytes += at - from;
    if (this.#prefixFilled < prefixBytes) return at;
    this.#begin(this.#prefix, 0);
    this.#prefixFilled = 0;
    if (this.#length === 0) this.#emitAssembled();
    return at;
  }

  #fill(bytes: Buffer, from: number, end: number): number {
    const missing = this.#length - this.#filled;
    const taken = Math.min(missing, end - from);
    this.#grow(this.#filled + taken);
    bytes.copy(this.#message, this.#filled, from, from + taken);
    this.#filled += taken;
    this.#heldBytes += taken;
    if (taken === missing) this.#emitAssembled();
    return from + taken;
  }

  #grow(needed: number): void {
    if (needed <= this.#message.length) return;
    const size = Math.min(this.#length, Math.max(needed, firstAllocationBytes, this.#message.length * 2));
    const larger = Buffer.allocUnsafe(size);
    this.#message.copy(larger, 0, 0, this.#filled);
    this.#message = larger;
  }

  #emitAssembled(): void {
    const message = this.#message.subarray(0, this.#length);
    this.#message = none;
    this.#filled = 0;
    this.#length = -1;
    this.#sink.onMessage(message, this.#isCompressed, this.takeHeld());
  }
}

const none = Buffer.alloc(0);

function failure(code: number, message: string): StatusError {
  return new StatusError({ code, message, trailers: {} });
}

/**
 * The message that bytes[start, end) are as a whole, uncompressed and within the limit; undefined when they are anything else, which a
 * MessageReader looks into.
 */
export function soleMessage(bytes: Buffer, start: number, end: number, maxBytes: number): Uint8Array | undefined {
  const length = end - start - prefixBytes;
  if (length < 0 || length > maxBytes || bytes[start] !== 0) return undefined;
  return lengthAt(bytes, start + 1) === length ? bytes.subarray(start + prefixBytes, end) : undefined;
}

function lengthAt(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) * 0x1000000 +
    (((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number))
  );
}
