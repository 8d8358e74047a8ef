import { ConnectionError, ErrorCode, frameHeaderBytes, maxFrameBytes } from "./protocol.ts";

/** Takes whole frames. The payload stands in `bytes` from `start` to `end`, which stay as they are for as long as somebody holds them. */
export interface FrameSink {
  onFrame(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void;
}

/**
 * Cuts the bytes of a connection into frames (RFC 9113 §4.1). A frame inside one chunk is passed on without a copy; one that spans chunks is
 * put together in a buffer of its own.
 */
export class FrameParser {
  readonly #sink: FrameSink;
  /** The frame being put together: its head at first, then head and payload. */
  #partial: Buffer | undefined;
  #filled = 0;
  #isStopped = false;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /** The frame of which a part has come, told by its identity; undefined between frames. */
  get unfinished(): object | undefined {
    return this.#partial;
  }

  /** Passes on no more frames. */
  stop(): void {
    this.#isStopped = true;
    this.#partial = undefined;
  }

  /** Throws a ConnectionError for a frame over the limit of 16 KiB. */
  push(chunk: Buffer): void {
    let offset = this.#partial === undefined ? 0 : this.#fill(chunk, 0);
    const { length } = chunk;
    while (length - offset >= frameHeaderBytes && !this.#isStopped) {
      const end = offset + frameHeaderBytes + payloadLength(chunk, offset);
      if (end > length) break;
      this.#emit(chunk, offset, end);
      offset = end;
    }
    if (offset < length && !this.#isStopped) this.#keep(chunk, offset);
  }

  #emit(bytes: Buffer, offset: number, end: number): void {
    const type = bytes[offset + 3] as number;
    const flags = bytes[offset + 4] as number;
    const streamId =
      (((bytes[offset + 5] as number) & 0x7f) << 24) |
      ((bytes[offset + 6] as number) << 16) |
      ((bytes[offset + 7] as number) << 8) |
      (bytes[offset + 8] as number);
    this.#sink.onFrame(type, flags, streamId, bytes, offset + frameHeaderBytes, end);
  }

  #keep(chunk: Buffer, offset: number): void {
    const left = chunk.length - offset;
    const size = left < frameHeaderBytes ? frameHeaderBytes : frameHeaderBytes + payloadLength(chunk, offset);
    this.#partial = Buffer.allocUnsafe(size);
    chunk.copy(this.#partial, 0, offset);
    this.#filled = left;
  }

  /** Adds what is missing of the frame begun before; returns how much of the chunk it took. */
  #fill(chunk: Buffer, from: number): number {
    let partial = this.#partial;
    if (partial === undefined) return from;
    let offset = from;
    if (this.#filled < frameHeaderBytes) {
      offset = this.#take(partial, chunk, offset, frameHeaderBytes);
      if (this.#filled < frameHeaderBytes) return offset;
      const whole = Buffer.allocUnsafe(frameHeaderBytes + payloadLength(partial, 0));
      partial.copy(whole, 0, 0, frameHeaderBytes);
      partial = this.#partial = whole;
    }
    offset = this.#take(partial, chunk, offset, partial.length);
    if (this.#filled < partial.length) return offset;
    this.#partial = undefined;
    this.#emit(partial, 0, partial.length);
    return offset;
  }

  #take(partial: Buffer, chunk: Buffer, offset: number, upTo: number): number {
    const taken = Math.min(upTo - this.#filled, chunk.length - offset);
    chunk.copy(partial, this.#filled, offset, offset + taken);
    this.#filled += taken;
    return offset + taken;
  }
}

function payloadLength(bytes: Buffer, offset: number): number {
  const length =
    ((bytes[offset] as number) << 16) | ((bytes[offset + 1] as number) << 8) | (bytes[offset + 2] as number);
  if (length > maxFrameBytes)
    throw new ConnectionError(ErrorCode.frameSizeError, `a frame of ${length} bytes is over ${maxFrameBytes} bytes`);
  return length;
}
