import { GrpcStatus } from "../errors.ts";
import { StatusError } from "./transport.ts";

/** A gRPC message as it stands in DATA frames: one byte of flags, four of length, the bytes (gRPC over HTTP/2, Length-Prefixed-Message). */
export function frameMessage(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(5 + message.length);
  frame[0] = 0;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, 5);
  return frame;
}

/**
 * Cuts a stream of bytes into messages. Throws a StatusError: 8 for a message over `maxBytes`, 12 for a compressed one (the encodings
 * offered are identity only), 13 when the bytes end inside a message.
 */
export async function* readMessages(
  chunks: AsyncIterable<Buffer>,
  maxBytes: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  let pending: Buffer[] = [];
  let buffered = 0;
  let needed = 5;
  for await (const chunk of chunks) {
    pending.push(chunk);
    buffered += chunk.length;
    // Joining only when a whole message is there keeps a large message linear in its size.
    while (buffered >= needed) {
      const head = joined(pending);
      const length = lengthOf(head, maxBytes);
      if (buffered < 5 + length) {
        pending = [head];
        needed = 5 + length;
        break;
      }
      yield head.subarray(5, 5 + length);
      const rest = head.subarray(5 + length);
      pending = rest.length > 0 ? [rest] : [];
      buffered = rest.length;
      needed = 5;
    }
  }
  if (buffered > 0) throw failure(GrpcStatus.internal, "the stream ended inside a message");
}

function joined(chunks: Buffer[]): Buffer {
  const [only] = chunks;
  return chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks);
}

function lengthOf(head: Buffer, maxBytes: number): number {
  if (head[0] !== 0)
    throw failure(GrpcStatus.unimplemented, "compressed messages are not accepted: send grpc-encoding identity");
  const length = head.readUInt32BE(1);
  if (length > maxBytes) {
    throw failure(GrpcStatus.resourceExhausted, `a message of ${length} bytes is over the limit of ${maxBytes} bytes`);
  }
  return length;
}

function failure(code: number, message: string): StatusError {
  return new StatusError({ code, message, trailers: {} });
}
