/** Frames of HTTP/2 by hand (RFC 9113 §6), with numbers of their own: a test shall not agree with a mistake of the engine. */

export const rawPreface: Buffer = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

export const RawType = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const RawFlag = { endStream: 1, ack: 1, endHeaders: 4, padded: 8, priority: 32 } as const;

export interface RawFrame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
  /** Of HEADERS, with what its CONTINUATION frames brought: name, value, name, value … */
  fields?: readonly string[];
}

export function frame(type: number, flags: number, streamId: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, payload]);
}

/** A payload of one 32-bit number: an increment or an error code. */
export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** The whole frames in `bytes`, and what follows them. */
export function readFrames(bytes: Buffer): { frames: RawFrame[]; rest: Buffer } {
  const frames: RawFrame[] = [];
  let at = 0;
  while (bytes.length - at >= 9) {
    const end = at + 9 + bytes.readUIntBE(at, 3);
    if (end > bytes.length) break;
    const [type = 0, flags = 0] = bytes.subarray(at + 3);
    const streamId = bytes.readUInt32BE(at + 5) & 0x7fffffff;
    frames.push({ type, flags, streamId, payload: bytes.subarray(at + 9, end) });
    at = end;
  }
  return { frames, rest: bytes.subarray(at) };
}

/** A header block of literals that enter no table, uncompressed (RFC 7541 §6.2.2). */
export function literalBlock(fields: readonly string[]): Buffer {
  const pieces: Buffer[] = [];
  for (let n = 0; n < fields.length; n += 2)
    pieces.push(Buffer.of(0), literal(fields[n] ?? ""), literal(fields[n + 1] ?? ""));
  return Buffer.concat(pieces);
}

function literal(text: string): Buffer {
  const octets = [];
  let length = text.length;
  if (length < 0x7f) octets.push(length);
  else {
    octets.push(0x7f);
    for (length -= 0x7f; length >= 0x80; length >>>= 7) octets.push((length & 0x7f) | 0x80);
    octets.push(length);
  }
  return Buffer.concat([Buffer.from(octets), Buffer.from(text, "latin1")]);
}

/** The fields of a gRPC call. */
export function grpcFields(path: string): string[] {
  const control = [":method", "POST", ":scheme", "http", ":path", path, ":authority", "test"];
  return [...control, "content-type", "application/grpc", "te", "trailers"];
}

/** HEADERS of a gRPC call, with `more` fields, as one frame; ends the request unless told otherwise. */
export function grpcRequest(streamId: number, path: string, more: readonly string[] = [], isEnd = true): Buffer {
  const block = literalBlock([...grpcFields(path), ...more]);
  const flags = RawFlag.endHeaders | (isEnd ? RawFlag.endStream : 0);
  return frame(RawType.headers, flags, streamId, block);
}
