import { connect, type IncomingHttpHeaders } from "node:http2";

export interface JsonCall {
  /** `/helloworld.Helloworld/Call`. */
  readonly path: string;
  readonly request: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface JsonAnswer {
  readonly contentType: string | undefined;
  /** `grpc-status`, from the trailers or, without a message, the headers. */
  readonly status: string | undefined;
  readonly replies: readonly unknown[];
}

/** A gRPC call with JSON messages by hand, over HTTP/2 alone: grpc-js can't send another content type than its own. */
export async function callGrpcJson(address: string, { path, request, headers }: JsonCall): Promise<JsonAnswer> {
  const session = connect(`http://${address}`);
  try {
    const stream = session.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc+json",
      te: "trailers",
      ...headers,
    });
    const head = Promise.withResolvers<IncomingHttpHeaders>();
    const trailers = Promise.withResolvers<IncomingHttpHeaders>();
    stream.on("response", head.resolve).on("trailers", trailers.resolve).on("error", head.reject);
    stream.on("end", () => trailers.resolve({}));
    session.on("error", head.reject);
    stream.setTimeout(30_000, () => stream.destroy(new Error("no answer in 30 s")));
    stream.end(frame(Buffer.from(JSON.stringify(request))));
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk as Buffer);
    const [first, last] = [await head.promise, await trailers.promise];
    const status = last["grpc-status"] ?? first["grpc-status"];
    return { contentType: first["content-type"], status: status?.toString(), replies: messages(Buffer.concat(chunks)) };
  } finally {
    session.close();
  }
}

/** A flag byte (not compressed) and the length in four bytes go before every message. */
function frame(message: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

function messages(bytes: Buffer): unknown[] {
  const found: unknown[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 5 + bytes.readUInt32BE(at + 1);
    found.push(JSON.parse(bytes.toString("utf8", at + 5, end)));
    at = end;
  }
  return found;
}
