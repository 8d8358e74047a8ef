import { fieldBound, HpackEncoder } from "../hpack/index.ts";
import type { Output } from "./output.ts";
import { Flag, FrameType, frameHeaderBytes, maxFrameBytes, Prefix, prefixBytes } from "./protocol.ts";

/** Pending table size updates in front of a header block take no more. */
const sizeUpdateBytes = 12;
/** Copying a few bytes one by one is faster than a call of `set`. */
const shortBytes = 48;

/** Writes frames (RFC 9113 §6) into the connection's output. Frames of this side are at most 16 KiB, which every peer takes. */
export class FrameWriter {
  readonly output: Output;
  readonly encoder = new HpackEncoder();

  constructor(output: Output) {
    this.output = output;
  }

  /** One DATA frame with `body` from `from` to `to` behind its prefix; together at most 16 KiB. */
  data(streamId: number, prefix: Prefix, body: Uint8Array, from: number, to: number, isEnd: boolean): void {
    const length = to - from + (prefix === Prefix.none ? 0 : prefixBytes);
    let at = this.#begin(length, FrameType.data, isEnd ? Flag.endStream : 0, streamId);
    const { slab } = this.output;
    if (prefix !== Prefix.none) {
      writePrefix(slab, at, prefix, to - from);
      at += prefixBytes;
    }
    if (to - from > shortBytes) slab.set(from === 0 && to === body.length ? body : body.subarray(from, to), at);
    else for (let n = from; n < to; n++) slab[at++] = body[n] as number;
  }

  /** HEADERS, and CONTINUATION frames when the block is large. `fields` are name, value, name, value … */
  headers(streamId: number, fields: readonly string[], isEnd: boolean): void {
    let bound = sizeUpdateBytes;
    for (let n = 0; n < fields.length; n += 2) bound += fieldBound(fields[n] as string, fields[n + 1] as string);
    if (bound > maxFrameBytes) {
      this.#longHeaders(streamId, fields, isEnd, bound);
      return;
    }
    const { output } = this;
    output.reserve(frameHeaderBytes + bound);
    const { slab, used } = output;
    const end = this.#encode(fields, slab, used + frameHeaderBytes);
    const flags = isEnd ? Flag.endHeaders | Flag.endStream : Flag.endHeaders;
    writeHead(slab, used, end - used - frameHeaderBytes, FrameType.headers, flags, streamId);
    output.used = end;
  }

  #longHeaders(streamId: number, fields: readonly string[], isEnd: boolean, bound: number): void {
    const block = Buffer.allocUnsafe(bound);
    const blockEnd = this.#encode(fields, block, 0);
    for (let from = 0; from < blockEnd; from += maxFrameBytes) {
      const to = Math.min(blockEnd, from + maxFrameBytes);
      const type = from === 0 ? FrameType.headers : FrameType.continuation;
      const flags = (from === 0 && isEnd ? Flag.endStream : 0) | (to === blockEnd ? Flag.endHeaders : 0);
      const at = this.#begin(to - from, type, flags, streamId);
      block.copy(this.output.slab, at, from, to);
    }
  }

  #encode(fields: readonly string[], target: Buffer, offset: number): number {
    const { encoder } = this;
    let at = encoder.begin(target, offset);
    for (let n = 0; n < fields.length; n += 2)
      at = encoder.write(target, at, fields[n] as string, fields[n + 1] as string);
    return at;
  }

  /** `pairs` are identifier, value, identifier, value … */
  settings(pairs: readonly number[]): void {
    let at = this.#begin((pairs.length / 2) * 6, FrameType.settings, 0, 0);
    const { slab } = this.output;
    for (let n = 0; n < pairs.length; n += 2) {
      slab.writeUInt16BE(pairs[n] as number, at);
      slab.writeUInt32BE(pairs[n + 1] as number, at + 2);
      at += 6;
    }
  }

  settingsAck(): void {
    this.#begin(0, FrameType.settings, Flag.ack, 0);
  }

  /** `payload` is eight bytes at `from` of `bytes`. */
  ping(bytes: Buffer, from: number, isAck: boolean): void {
    const at = this.#begin(8, FrameType.ping, isAck ? Flag.ack : 0, 0);
    bytes.copy(this.output.slab, at, from, from + 8);
  }

  goaway(lastStreamId: number, code: number, message: string): void {
    const debug = Buffer.from(message.slice(0, 1000));
    const at = this.#begin(8 + debug.length, FrameType.goaway, 0, 0);
    const { slab } = this.output;
    slab.writeUInt32BE(lastStreamId, at);
    slab.writeUInt32BE(code, at + 4);
    debug.copy(slab, at + 8);
  }

  rstStream(streamId: number, code: number): void {
    const at = this.#begin(4, FrameType.rstStream, 0, streamId);
    this.output.slab.writeUInt32BE(code, at);
  }

  windowUpdate(streamId: number, bytes: number): void {
    const at = this.#begin(4, FrameType.windowUpdate, 0, streamId);
    this.output.slab.writeUInt32BE(bytes, at);
  }

  /** Writes a frame's head with room for its payload; returns where the payload goes. */
  #begin(length: number, type: number, flags: number, streamId: number): number {
    const { output } = this;
    output.reserve(frameHeaderBytes + length);
    const { used } = output;
    writeHead(output.slab, used, length, type, flags, streamId);
    output.used = used + frameHeaderBytes + length;
    return used + frameHeaderBytes;
  }
}

/** Writes gRPC's prefix of a message: one byte of flags, four of length. */
export function writePrefix(target: Uint8Array, at: number, prefix: Prefix, length: number): void {
  target[at] = prefix;
  target[at + 1] = length >>> 24;
  target[at + 2] = (length >>> 16) & 0xff;
  target[at + 3] = (length >>> 8) & 0xff;
  target[at + 4] = length & 0xff;
}

/** The same as bytes of its own. */
export function prefixOf(prefix: Prefix, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(prefixBytes);
  writePrefix(bytes, 0, prefix, length);
  return bytes;
}

function writeHead(slab: Buffer, at: number, length: number, type: number, flags: number, streamId: number): void {
  slab[at] = length >>> 16;
  slab[at + 1] = (length >>> 8) & 0xff;
  slab[at + 2] = length & 0xff;
  slab[at + 3] = type;
  slab[at + 4] = flags;
  slab[at + 5] = streamId >>> 24;
  slab[at + 6] = (streamId >>> 16) & 0xff;
  slab[at + 7] = (streamId >>> 8) & 0xff;
  slab[at + 8] = streamId & 0xff;
}
