/**
 * How events lie in the database: those that were acknowledged together are one chunk, so that a thousand concurrent publishers cost one row.
 *
 * ```
 * chunk   u8 version · u32 count · u32 size of each record · u32 checksum of all this · records
 * record  u32 size · u32 checksum · body
 * body    u8 flags · f64 time · [f64 expiry] · u16 size · id · [u32 size · metadata as JSON] · payload
 * ```
 *
 * A chunk of which every event is gone has another version, and neither sizes nor records. Numbers are little endian; checksums are CRC-32 that begin at a number made of topic and offset, so that a record which got to another
 * place is as wrong as one whose bits changed. Sizes are there twice: with one damaged, the other still leads past a damaged record.
 */
import { crc32 } from "node:zlib";
import type { StoredParts } from "@microts/blocks/events";

/** What is kept of an event besides its offset. Times are milliseconds since 1970. */
export interface StoredEvent {
  readonly id: string;
  readonly at: number;
  readonly expiresAt: number | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  readonly payload: Uint8Array;
}

/** An event in its body, see `partsOf`. */
export interface BodyParts extends StoredParts {
  readonly expiresAt: number | undefined;
}

/** Where a chunk belongs. */
export interface ChunkKey {
  readonly topicId: number;
  /** The offset of its first event; the others follow. */
  readonly first: number;
}

const version = 1;
const goneVersion = 2;
/** The size of a chunk of which every event is gone. */
export const goneBytes = 9;
const flag = { gone: 1, expires: 2, metadata: 4 } as const;
const headBytes = 5;
const recordBytes = 8;
const fixedBodyBytes = 11;
const goneBody = Buffer.from([flag.gone]);
const noMetadata: Readonly<Record<string, string>> = Object.freeze({});

/** Writes a chunk; undefined is the place of an event that is gone. */
export function encodeChunk(key: ChunkKey, events: readonly (StoredEvent | undefined)[]): Buffer {
  if (events.every((event) => event === undefined)) return encodeGone(key, events.length);
  const metadata = events.map((event) => metadataText(event));
  const sizes = events.map((event, i) => bodySize(event, metadata[i] ?? ""));
  const start = headBytes + 4 * events.length + 4;
  const chunk = Buffer.allocUnsafeSlow(sizes.reduce((sum, size) => sum + recordBytes + size, start));
  writeHead(chunk, key, sizes);
  let at = start;
  for (const [i, event] of events.entries()) {
    const size = sizes[i] ?? 0;
    writeBody(chunk, at + recordBytes, event, metadata[i] ?? "");
    const body = chunk.subarray(at + recordBytes, at + recordBytes + size);
    chunk.writeUInt32LE(size, at);
    chunk.writeUInt32LE(crc32(body, seed(key.topicId, key.first + i)), at + 4);
    at += recordBytes + size;
  }
  return chunk;
}

/**
 * The bodies of a chunk's records by their places, each proven by its checksum; undefined for one that is damaged. Those before `from` or from `until`
 * on aren't looked at, and undefined.
 */
export function recordsOf(
  key: ChunkKey,
  count: number,
  data: Uint8Array,
  from = 0,
  until = count,
): (Buffer | undefined)[] {
  const chunk = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  if (chunk[0] === goneVersion && encodeGone(key, count).equals(chunk))
    return Array.from({ length: count }, () => goneBody);
  const isHeadGood = hasGoodHead(chunk, key, count);
  const bodies: (Buffer | undefined)[] = [];
  let at = headBytes + 4 * count + 4;
  for (let i = 0; i < count; i++) {
    if (at + recordBytes > chunk.length) break;
    const size = chunk.readUInt32LE(isHeadGood ? headBytes + 4 * i : at);
    const end = at + recordBytes + size;
    if (end > chunk.length) break;
    if (isHeadGood && (i < from || i >= until)) {
      bodies.push(undefined);
      at = end;
      continue;
    }
    const body = chunk.subarray(at + recordBytes, end);
    const proven = crc32(body, seed(key.topicId, key.first + i)) === chunk.readUInt32LE(at + 4);
    // Without the sizes of the head, a record that is not proven may lie about where the next one begins.
    if (!proven && !isHeadGood) break;
    bodies.push(proven ? body : undefined);
    at = end;
  }
  while (bodies.length < count) bodies.push(undefined);
  return bodies;
}

/** Reads a proven body; undefined for an event that is gone. The payload shares the body's memory. */
export function decodeBody(body: Buffer): StoredEvent | undefined {
  const parts = partsOf(body);
  if (parts === undefined) return undefined;
  const { at, expiresAt, metadata, idStart, idEnd, payloadStart } = parts;
  return { id: body.toString("utf8", idStart, idEnd), at, expiresAt, metadata, payload: body.subarray(payloadStart) };
}

/** Where what is where in a proven body; undefined for an event that is gone. */
export function partsOf(body: Buffer): BodyParts | undefined {
  const flags = body[0] ?? flag.gone;
  if (flags & flag.gone) return undefined;
  let at = 9;
  const expiresAt = flags & flag.expires ? body.readDoubleLE(at) : undefined;
  if (expiresAt !== undefined) at += 8;
  const idStart = at + 2;
  const idEnd = idStart + body.readUInt16LE(at);
  let metadata = noMetadata;
  let payloadStart = idEnd;
  if (flags & flag.metadata) {
    payloadStart = idEnd + 4 + body.readUInt32LE(idEnd);
    metadata = JSON.parse(body.toString("utf8", idEnd + 4, payloadStart));
  }
  return { idStart, idEnd, payloadStart, payloadEnd: body.length, at: body.readDoubleLE(1), expiresAt, metadata };
}

function encodeGone({ topicId, first }: ChunkKey, count: number): Buffer {
  const chunk = Buffer.alloc(goneBytes);
  chunk[0] = goneVersion;
  chunk.writeUInt32LE(count, 1);
  chunk.writeUInt32LE(crc32(chunk.subarray(0, headBytes), seed(topicId, first)), headBytes);
  return chunk;
}

function writeHead(chunk: Buffer, key: ChunkKey, sizes: readonly number[]): void {
  chunk[0] = version;
  let at = chunk.writeUInt32LE(sizes.length, 1);
  for (const size of sizes) at = chunk.writeUInt32LE(size, at);
  chunk.writeUInt32LE(crc32(chunk.subarray(0, at), seed(key.topicId, key.first)), at);
}

/** Whether the sizes of the records in the head are right. */
function hasGoodHead(chunk: Buffer, { topicId, first }: ChunkKey, count: number): boolean {
  const end = headBytes + 4 * count;
  if (chunk.length < end + 4 || chunk[0] !== version || chunk.readUInt32LE(1) !== count) return false;
  return crc32(chunk.subarray(0, end), seed(topicId, first)) === chunk.readUInt32LE(end);
}

function metadataText(event: StoredEvent | undefined): string {
  if (event === undefined) return "";
  for (const _ in event.metadata) return JSON.stringify(event.metadata);
  return "";
}

function bodySize(event: StoredEvent | undefined, metadata: string): number {
  if (event === undefined) return 1;
  const expiry = event.expiresAt === undefined ? 0 : 8;
  const text = metadata === "" ? 0 : 4 + Buffer.byteLength(metadata);
  return fixedBodyBytes + expiry + Buffer.byteLength(event.id) + text + event.payload.length;
}

function writeBody(chunk: Buffer, start: number, event: StoredEvent | undefined, metadata: string): void {
  if (event === undefined) {
    chunk[start] = flag.gone;
    return;
  }
  chunk[start] = (event.expiresAt === undefined ? 0 : flag.expires) | (metadata === "" ? 0 : flag.metadata);
  let at = chunk.writeDoubleLE(event.at, start + 1);
  if (event.expiresAt !== undefined) at = chunk.writeDoubleLE(event.expiresAt, at);
  const idBytes = chunk.write(event.id, at + 2);
  chunk.writeUInt16LE(idBytes, at);
  at += 2 + idBytes;
  if (metadata !== "") {
    const bytes = chunk.write(metadata, at + 4);
    chunk.writeUInt32LE(bytes, at);
    at += 4 + bytes;
  }
  chunk.set(event.payload, at);
}

/** Different for every topic and, within 2^32 of each other, for every offset. */
function seed(topicId: number, offset: number): number {
  const low = Math.imul(offset >>> 0, 0x9e37_79b1);
  return (low ^ Math.imul(topicId, 0x85eb_ca6b) ^ Math.floor(offset / 2 ** 32)) >>> 0;
}
