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

/** Loaded for the first compressed message: most processes see none, and it takes 10 ms. */
let codec: ReturnType<typeof loadCodec> | undefined;

function loadCodec() {
  const { gzip, gunzip } = process.getBuiltinModule("node:zlib");
  const { promisify } = process.getBuiltinModule("node:util");
  return { gzip: promisify(gzip), gunzip: promisify(gunzip) };
}

/** Compresses on a thread of the pool. */
export async function compress(message: Uint8Array): Promise<Uint8Array> {
  codec ??= loadCodec();
  return await codec.gzip(message);
}

/** Decompresses on a thread of the pool and stops when the result grows over `maxBytes` (status 8). Damaged data is status 13. */
export async function decompress(message: Uint8Array, maxBytes: number): Promise<Uint8Array> {
  if (message.length === 0) return message;
  codec ??= loadCodec();
  try {
    return await codec.gunzip(message, { maxOutputLength: maxBytes });
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
