import type { Readable, Writable } from "node:stream";
import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";

const prefixBytes = 4;

/** The messages on a stream as connectconformance writes them to its programs: each after its length in four bytes, until the stream ends. */
export async function* readFrames<T extends DescMessage>(schema: T, from: Readable): AsyncGenerator<MessageShape<T>> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of from) {
    rest = Buffer.concat([rest, chunk as Buffer]);
    for (let length = lengthOf(rest); length <= rest.length; length = lengthOf(rest)) {
      yield fromBinary(schema, rest.subarray(prefixBytes, length));
      rest = rest.subarray(length);
    }
  }
}

/** Of the first message with its prefix; more than anything as long as the prefix isn't there. */
function lengthOf(bytes: Buffer): number {
  return bytes.length < prefixBytes ? Number.POSITIVE_INFINITY : prefixBytes + bytes.readUInt32BE(0);
}

export function writeFrame<T extends DescMessage>(schema: T, message: MessageInitShape<T>, to: Writable): void {
  const bytes = toBinary(schema, create(schema, message));
  const prefix = Buffer.alloc(prefixBytes);
  prefix.writeUInt32BE(bytes.length);
  to.write(Buffer.concat([prefix, bytes]));
}
