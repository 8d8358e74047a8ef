import { frameMessage } from "./grpc-frames.ts";
import { frame, grpcFields, literalBlock, RawFlag, RawType, uint32 } from "./raw-http2-frames.ts";

const { endHeaders, endStream, padded, priority } = RawFlag;

/** How a peer writes a header block and a body: RFC 9113 leaves it much freedom that makes no difference. */
export interface Manner {
  /** Sizes of the DATA frames, in turn. */
  readonly pieces: readonly number[];
  /** Bytes of padding of each frame, in turn; 0 is padding of none, -1 no padding at all. */
  readonly paddings: readonly number[];
  /** Where the header block is cut into CONTINUATION frames; beyond its end it isn't. */
  readonly cuts: readonly number[];
  readonly hasPriority: boolean;
  /** How the last frame says that it is the last. */
  readonly end: "data" | "empty" | "trailers";
}

/** One call as a client says it. */
export interface PlannedCall {
  readonly metadata: readonly (readonly [string, string])[];
  readonly messages: readonly Uint8Array[];
  readonly manner: Manner;
  /** Reset after so many frames. */
  readonly resetAfter: number | undefined;
}

/** The frames of a call; each can be sent whenever those before it have been. */
export function callFrames(streamId: number, path: string, call: PlannedCall): Buffer[] {
  const { manner, metadata, messages } = call;
  const isEmpty = messages.length === 0 && manner.end === "data";
  const fields = [...grpcFields(path), ...metadata.flat()];
  const all = [
    headerFrames(streamId, fields, manner, isEmpty),
    ...bodyFrames(streamId, messages, manner, manner.end === "data"),
  ];
  if (manner.end === "empty") all.push(frame(RawType.data, endStream, streamId));
  if (manner.end === "trailers") all.push(headerFrames(streamId, ["x-last", "1"], manner, true));
  if (call.resetAfter === undefined) return all;
  return [...all.slice(0, 1 + call.resetAfter), frame(RawType.rstStream, 0, streamId, uint32(8))];
}

/** A header block as HEADERS and CONTINUATION, in one piece since nothing may come between them. */
export function headerFrames(streamId: number, fields: readonly string[], manner: Manner, isEnd: boolean): Buffer {
  const block = literalBlock(fields);
  const cuts = [0, ...manner.cuts.filter((cut) => cut < block.length).toSorted((a, b) => a - b), block.length];
  const padding = manner.paddings[0] ?? -1;
  return Buffer.concat(
    cuts.slice(1).map((to, n) => {
      const part = block.subarray(cuts[n], to);
      const last = n === cuts.length - 2 ? endHeaders : 0;
      if (n > 0) return frame(RawType.continuation, last, streamId, part);
      const pad = padding < 0 ? [] : [Buffer.of(padding)];
      const weight = manner.hasPriority ? [Buffer.of(0, 0, 0, 0, 15)] : [];
      const flags = last | (isEnd ? endStream : 0) | (padding < 0 ? 0 : padded) | (manner.hasPriority ? priority : 0);
      const payload = Buffer.concat([...pad, ...weight, part, Buffer.alloc(Math.max(0, padding))]);
      return frame(RawType.headers, flags, streamId, payload);
    }),
  );
}

/** Messages as DATA frames that end anywhere. */
export function bodyFrames(
  streamId: number,
  messages: readonly Uint8Array[],
  { pieces, paddings }: Manner,
  isEnd: boolean,
): Buffer[] {
  const body = Buffer.concat(messages.map(frameMessage));
  const frames: Buffer[] = [];
  for (let at = 0, n = 0; at < body.length; n++) {
    const to = Math.min(body.length, at + (pieces[n % pieces.length] ?? body.length));
    const padding = paddings[n % paddings.length] ?? -1;
    const flags = (isEnd && to === body.length ? endStream : 0) | (padding < 0 ? 0 : padded);
    const part = body.subarray(at, to);
    const payload = padding < 0 ? part : Buffer.concat([Buffer.of(padding), part, Buffer.alloc(padding)]);
    frames.push(frame(RawType.data, flags, streamId, payload));
    at = to;
  }
  return frames;
}
