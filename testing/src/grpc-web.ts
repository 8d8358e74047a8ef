import { once } from "node:events";
import { request as httpRequest } from "node:http";
import { connect } from "node:http2";
import type { Readable, Writable } from "node:stream";
import { frameMessage } from "./grpc-frames.ts";

/** A call in gRPC-Web's framing, for tests that look at the bytes. */
export interface WebCall {
  readonly path: string;
  /** Default `application/grpc-web+proto`. */
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** The body as pieces, each sent on its own. Default: `messages`, framed. */
  readonly body?: readonly Uint8Array[];
  readonly messages?: readonly Uint8Array[];
  readonly method?: string;
}

export interface WebAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly messages: readonly Buffer[];
  /** Flags of the messages' frames. */
  readonly flags: readonly number[];
  /** Of the last frame; undefined without one. */
  readonly trailers: Readonly<Record<string, string>> | undefined;
  /** The body as it came. */
  readonly body: Buffer;
}

export type WebTransport = "HTTP/1.1" | "HTTP/2";

/** Makes the call and reads its answer to the end. */
export async function webCall(transport: WebTransport, address: string, call: WebCall): Promise<WebAnswer> {
  const open = transport === "HTTP/1.1" ? openHttp1 : openHttp2;
  const { request, response, close } = open(address, call);
  for (const piece of bodyOf(call)) {
    request.write(piece);
    // A piece of its own on the way, too.
    await new Promise((resolve) => setImmediate(resolve));
  }
  request.end();
  try {
    const { status, headers, stream } = await response;
    const body = Buffer.concat(await Array.fromAsync(stream));
    return { status, headers, body, ...readFrames(decoded(body, headers["content-type"] ?? "")) };
  } finally {
    close();
  }
}

interface Opened {
  readonly request: Writable;
  readonly response: Promise<{ status: number; headers: Record<string, string>; stream: Readable }>;
  close(): void;
}

function headersOf({ contentType = "application/grpc-web+proto", headers, method = "POST" }: WebCall) {
  return { ...(method === "POST" && { "content-type": contentType, "x-grpc-web": "1" }), ...headers };
}

/** A call over HTTP/1.1, to be written to. */
export function openHttp1(address: string, call: WebCall): Opened {
  const [host, port] = address.split(":");
  const options = {
    host,
    port,
    path: call.path,
    method: call.method ?? "POST",
    headers: headersOf(call),
    agent: false,
  };
  const request = httpRequest(options);
  const response = once(request, "response").then(([message]) => ({
    status: message.statusCode as number,
    headers: message.headers as Record<string, string>,
    stream: message as Readable,
  }));
  response.catch(() => {});
  return { request, response, close: () => request.destroy() };
}

/** The same over HTTP/2. */
export function openHttp2(address: string, call: WebCall): Opened {
  const session = connect(`http://${address}`);
  const stream = session.request({ ":method": call.method ?? "POST", ":path": call.path, ...headersOf(call) });
  const response = once(stream, "response").then(([headers]) => ({
    status: Number(headers[":status"]),
    headers: headers as Record<string, string>,
    stream: stream as Readable,
  }));
  response.catch(() => {});
  return { request: stream, response, close: () => session.destroy() };
}

function bodyOf({ body, messages = [], contentType, method = "POST" }: WebCall): readonly Uint8Array[] {
  if (body !== undefined) return body;
  if (method !== "POST") return [];
  const framed = messages.map(frameMessage);
  return contentType?.includes("-text") ? framed.map((frame) => Buffer.from(frame.toString("base64"))) : framed;
}

/** Each piece of a body in text was encoded on its own. */
function decoded(body: Buffer, contentType: string): Buffer {
  if (!contentType.startsWith("application/grpc-web-text")) return body;
  const pieces = body.toString("latin1").match(/[^=]+={0,2}/g) ?? [];
  return Buffer.concat(pieces.map((piece) => Buffer.from(piece, "base64")));
}

function readFrames(body: Buffer): Pick<WebAnswer, "messages" | "flags" | "trailers"> {
  const messages: Buffer[] = [];
  const flags: number[] = [];
  let trailers: Record<string, string> | undefined;
  for (let at = 0; at + 5 <= body.length; ) {
    const flag = body[at] as number;
    const end = at + 5 + body.readUInt32BE(at + 1);
    const payload = body.subarray(at + 5, end);
    at = end;
    if (trailers !== undefined) throw new Error("a frame follows the trailers");
    if (flag & 0x80) trailers = readTrailers(payload.toString("latin1"));
    else {
      messages.push(payload);
      flags.push(flag);
    }
  }
  return { messages, flags, trailers };
}

function readTrailers(text: string): Record<string, string> {
  const lines = text.split("\r\n").filter((line) => line !== "");
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]));
}
