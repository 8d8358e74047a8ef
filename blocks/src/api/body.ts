import { MicroError } from "@microts/core";
import { type Exchange, hasBody } from "./exchange.ts";

/** The whole body of a request; undefined when none was announced. Throws 413 above `maxBytes`, 415 for compressed ones. */
export function readBody(exchange: Exchange, maxBytes: number): Promise<Buffer> | undefined {
  const { request, response } = exchange;
  if (!hasBody(request)) return undefined;
  const encoding = request.headers["content-encoding"];
  if (encoding !== undefined && encoding !== "identity") {
    throw new MicroError(
      415,
      "go.micro.api",
      `The body is encoded as ${JSON.stringify(encoding.slice(0, 20))}. Send it uncompressed`,
    );
  }
  if (Number(request.headers["content-length"] ?? 0) > maxBytes) throw tooLarge(maxBytes);
  if (exchange.expectsContinue) response.writeContinue();
  return collect(exchange, maxBytes);
}

function collect({ request }: Exchange, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let first: Buffer | undefined;
    let chunks: Buffer[] | undefined;
    let size = 0;
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > maxBytes) {
        request.removeAllListeners("data");
        reject(tooLarge(maxBytes));
      } else if (first === undefined) first = chunk;
      else if (chunks === undefined) chunks = [first, chunk];
      else chunks.push(chunk);
    });
    request.on("end", () => resolve(chunks === undefined ? (first ?? Buffer.alloc(0)) : Buffer.concat(chunks, size)));
    request.on("error", () =>
      reject(new MicroError(499, "go.micro.api", "the client went away before its request was complete")),
    );
  });
}

function tooLarge(maxBytes: number): MicroError {
  return MicroError.tooLarge(
    "go.micro.api",
    `The body is larger than ${maxBytes} bytes. Send less, or send it in pieces`,
  );
}
