import { type FrameWriter, writePrefix } from "./frame-writer.ts";
import type { Limits } from "./limits.ts";
import { ErrorCode, maxFrameBytes, maxWindowBytes, Prefix, prefixBytes } from "./protocol.ts";

/** How a stream ended other than by both sides' END_STREAM. */
export interface StreamClose {
  /** An error code of RFC 9113 §7. */
  readonly code: number;
  readonly message: string;
  /** Reset by the peer. */
  readonly isRemote: boolean;
  /** The whole connection is gone. */
  readonly isConnectionLost: boolean;
  /** The peer says that it has done nothing with the stream: it may be tried again (RFC 9113 §8.7). */
  readonly isUnprocessed: boolean;
}

/** What happens on a stream, told to whoever runs a call on it. None of these may throw. */
export interface StreamEvents {
  /** A response's headers, on the client's side; with `isEnd` they are all there is. Interim (1xx) ones aren't passed on. */
  onHeaders(fields: string[], isEnd: boolean): void;
  /** Part of the body: `bytes` from `start` to `end`. `stream.consumed` must be told when it is out of the way. */
  onData(bytes: Buffer, start: number, end: number): void;
  /** The peer sends nothing more; the trailers, when there were some. */
  onEnd(trailers: string[] | undefined): void;
  /** All that waited has been given to the connection: there is room again. */
  onWritable(): void;
  /** The stream is over, and told only once: undefined when both sides ended it in order. */
  onClose(close: StreamClose | undefined): void;
}

/** What a stream needs of its connection. */
export interface StreamOwner {
  readonly limits: Limits;
  readonly writer: FrameWriter;
  readonly keepalive: { sent(): void };
  /** Bytes that the peer takes on all streams together. */
  sendWindow: number;
  /** Bytes of messages being put together, counted by whoever does it. */
  assemblyBytes: number;
  /** Frames with a use, sent or received: others are weighed against them. */
  usefulFrames: number;
  /** Whether `bytes` may go at once: windows and the socket have room, and no other stream has waited longer. */
  canSend(bytes: number): boolean;
  /** Gives the stream its turns until all it has is sent. */
  queue(stream: Stream): void;
  /** Received bytes have left the stream. */
  release(bytes: number): void;
  /** This side has ended a stream that the peer hasn't. */
  onLocalEnd(stream: Stream): void;
  /** This side is about to reset the stream. */
  onReset(stream: Stream): void;
  onStreamClosed(stream: Stream): void;
}

/** Bytes that wait to be sent. */
interface Waiting {
  readonly bytes: Uint8Array;
  offset: number;
}

/** One stream of a connection (RFC 9113 §5): its states, both flow-control windows, and what waits to be sent. */
export class Stream {
  readonly id: number;
  readonly connection: StreamOwner;
  events: StreamEvents;
  /** Bytes that the peer lets this side send. Negative after it lowered its initial window. */
  sendWindow: number;
  /** Bytes that the peer may still send. */
  receiveWindow: number;
  /** What a request's or response's content-length announces and hasn't come yet; undefined without one. */
  expectedBytes: number | undefined = undefined;
  /** The peer's headers have come, on a client's side the final response's: DATA may follow. */
  hasHeaders = false;
  isRemoteEnded = false;
  isLocalEnded = false;
  isClosed = false;
  /** Stands among the connection's streams with something to send. */
  isQueued = false;
  /** When anything of what waits was sent last, in milliseconds of `Date.now()`; 0 while nothing waits. */
  stalledSinceMs = 0;
  #unconsumed = 0;
  #credit = 0;
  #queue: Waiting[] | undefined = undefined;
  #queuedBytes = 0;
  #endAfterQueue = false;
  #trailers: readonly string[] | undefined = undefined;

  constructor(connection: StreamOwner, id: number, sendWindow: number, receiveWindow: number, events: StreamEvents) {
    this.connection = connection;
    this.id = id;
    this.sendWindow = sendWindow;
    this.receiveWindow = receiveWindow;
    this.events = events;
  }

  /** Nothing more is added to what waits: the call is over for this side. */
  get isEnding(): boolean {
    return this.#endAfterQueue;
  }

  /** Bytes that wait for windows or for the socket. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Sends HEADERS. Nothing is sent on a closed stream, here and below. */
  sendHeaders(fields: readonly string[], isEnd: boolean): void {
    if (this.isClosed || this.isLocalEnded) return;
    this.connection.writer.headers(this.id, fields, isEnd);
    this.connection.keepalive.sent();
    this.connection.usefulFrames++;
    if (isEnd) this.#endLocal();
  }

  /**
   * Sends `body` behind its prefix as DATA, and END_STREAM with `isEnd`. False when some of it has to wait: then `onWritable` follows, and
   * `body` must not change until it has gone.
   */
  write(prefix: Prefix, body: Uint8Array, isEnd: boolean): boolean {
    if (this.isClosed || this.isLocalEnded || this.#endAfterQueue) return true;
    const { connection } = this;
    const length = body.length + (prefix === Prefix.none ? 0 : prefixBytes);
    if (length === 0) {
      if (isEnd) this.end();
      return this.#queuedBytes === 0;
    }
    if (this.#queuedBytes === 0 && length <= maxFrameBytes && connection.canSend(length) && length <= this.sendWindow) {
      this.sendWindow -= length;
      connection.sendWindow -= length;
      connection.keepalive.sent();
      connection.usefulFrames++;
      connection.writer.data(this.id, prefix, body, 0, body.length, isEnd);
      if (isEnd) this.#endLocal();
      return true;
    }
    this.#queue ??= [];
    if (prefix !== Prefix.none) {
      const head = Buffer.allocUnsafe(prefixBytes);
      writePrefix(head, 0, prefix, body.length);
      this.#enqueue(head);
    }
    this.#enqueue(body);
    if (isEnd) this.#endAfterQueue = true;
    connection.queue(this);
    return this.#queuedBytes === 0;
  }

  /** Ends this side with trailers, after what waits. */
  sendTrailers(fields: readonly string[]): void {
    if (this.isClosed || this.isLocalEnded || this.#endAfterQueue) return;
    if (this.#queuedBytes === 0) {
      this.connection.writer.headers(this.id, fields, true);
      this.#endLocal();
      return;
    }
    this.#trailers = fields;
    this.#endAfterQueue = true;
  }

  /** Ends this side after what waits; at once when nothing does, for an end alone takes no window (RFC 9113 §6.9). */
  end(): void {
    if (this.isClosed || this.isLocalEnded || this.#endAfterQueue) return;
    if (this.#queuedBytes === 0) {
      this.connection.writer.data(this.id, Prefix.none, nothing, 0, 0, true);
      this.#endLocal();
      return;
    }
    this.#endAfterQueue = true;
  }

  #enqueue(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (this.#queuedBytes === 0) this.stalledSinceMs = Date.now();
    this.#queue?.push({ bytes, offset: 0 });
    this.#queuedBytes += bytes.length;
  }

  /** Sends one frame of what waits, as the windows allow; the connection calls it in turn. Returns the bytes sent. */
  sendQueued(limit: number): number {
    const first = this.#queue?.[0];
    if (this.isClosed || first === undefined) return 0;
    const length = Math.min(first.bytes.length - first.offset, limit, this.sendWindow, maxFrameBytes);
    if (length <= 0) return 0;
    const { connection } = this;
    const to = first.offset + length;
    this.sendWindow -= length;
    connection.sendWindow -= length;
    this.#queuedBytes -= length;
    connection.keepalive.sent();
    this.stalledSinceMs = this.#queuedBytes === 0 ? 0 : Date.now();
    // A peer that asks for a few bytes at a time has each of its WINDOW_UPDATEs counted (CVE-2019-9511).
    if (this.#queuedBytes === 0 || length >= usefulBytes) connection.usefulFrames++;
    const isLast = this.#queuedBytes === 0 && this.#endAfterQueue && this.#trailers === undefined;
    connection.writer.data(this.id, Prefix.none, first.bytes, first.offset, to, isLast);
    first.offset = to;
    if (to === first.bytes.length) this.#queue?.shift();
    if (this.#queuedBytes === 0) this.#queueGone(isLast);
    return length;
  }

  #queueGone(isEnded: boolean): void {
    if (this.#trailers !== undefined) this.connection.writer.headers(this.id, this.#trailers, true);
    if (isEnded || this.#trailers !== undefined) this.#endLocal();
    else this.events.onWritable();
  }

  #endLocal(): void {
    this.isLocalEnded = true;
    if (this.isRemoteEnded) this.close(undefined);
    else this.connection.onLocalEnd(this);
  }

  /** `bytes` of what `onData` brought are out of the way: the peer may send as many more. */
  consumed(bytes: number): void {
    if (bytes === 0) return;
    const mine = Math.min(bytes, this.#unconsumed);
    this.#unconsumed -= mine;
    this.connection.release(mine);
    if (this.isClosed || this.isRemoteEnded) return;
    this.#credit += bytes;
    if (this.#credit < this.connection.limits.streamWindowBytes / 2) return;
    this.receiveWindow += this.#credit;
    this.connection.writer.windowUpdate(this.id, this.#credit);
    this.#credit = 0;
  }

  /** The connection has received `bytes` for this stream. */
  received(bytes: number): void {
    this.#unconsumed += bytes;
  }

  /** Adds what a WINDOW_UPDATE grants; false when it overflows the window (RFC 9113 §6.9.1). */
  grant(bytes: number): boolean {
    this.sendWindow += bytes;
    if (this.sendWindow > maxWindowBytes) return false;
    if (this.#queuedBytes > 0 && this.sendWindow > 0) this.connection.queue(this);
    return true;
  }

  remoteEnd(trailers: string[] | undefined): void {
    this.isRemoteEnded = true;
    this.events.onEnd(trailers);
    if (this.isLocalEnded) this.close(undefined);
  }

  /** Sends RST_STREAM and ends the stream at once. */
  reset(code: number, message = ""): void {
    if (this.isClosed) return;
    this.connection.onReset(this);
    this.connection.writer.rstStream(this.id, code);
    const isNormal = code === ErrorCode.noError && this.isLocalEnded;
    this.close(isNormal ? undefined : closeOf(code, message));
  }

  /** Ends the stream without sending anything. */
  close(close: StreamClose | undefined): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#queue = undefined;
    this.#queuedBytes = 0;
    this.stalledSinceMs = 0;
    // What a call has received it may still read; the connection's window doesn't wait for that.
    this.connection.release(this.#unconsumed);
    this.#unconsumed = 0;
    this.connection.onStreamClosed(this);
    this.events.onClose(close);
  }
}

function closeOf(code: number, message: string): StreamClose {
  return { code, message, isRemote: false, isConnectionLost: false, isUnprocessed: false };
}

const nothing = new Uint8Array(0);
/** A part of a message that is worth its frame. */
const usefulBytes = 256;
