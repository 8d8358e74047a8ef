import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";
import { GrpcStatus } from "../errors.ts";
import { StatusError } from "./transport.ts";

/** The message encodings that this side takes (gRPC compression.md), as `grpc-accept-encoding` says it. */
const acceptedEncodings = "identity,gzip";

export type Encoding = "identity" | "gzip";

/** The encoding of a `grpc-encoding` value; identity without one. Throws status 12 for an unknown one. */
export function encodingOf(value: string | undefined): Encoding {
  if (value === undefined || value === "identity") return "identity";
  if (value === "gzip") return "gzip";
  throw new StatusError({
    code: GrpcStatus.unimplemented,
    message: `messages in grpc-encoding "${value}" can't be read: use ${acceptedEncodings.replace(",", " or ")}`,
    trailers: { "grpc-accept-encoding": acceptedEncodings },
  });
}

const gzipAsync = promisify(gzip);
const gunzipAsync = promisify(gunzip);

/** Compresses on a thread of the pool. */
export async function compress(message: Uint8Array): Promise<Uint8Array> {
  return await gzipAsync(message);
}

/** Decompresses on a thread of the pool and stops when the result grows over `maxBytes` (status 8). Damaged data is status 13. */
export async function decompress(message: Uint8Array, maxBytes: number): Promise<Uint8Array> {
  if (message.length === 0) return message;
  try {
    return await gunzipAsync(message, { maxOutputLength: maxBytes });
  } catch (error) {
    const isOver = (error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE";
    throw new StatusError({
      code: isOver ? GrpcStatus.resourceExhausted : GrpcStatus.internal,
      message: isOver
        ? `a compressed message is over the limit of ${maxBytes} bytes (maxMessageBytes)`
        : "a compressed message is damaged",
      trailers: {},
    });
  }
}
