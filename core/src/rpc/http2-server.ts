import {
  constants,
  createServer,
  type Http2Session,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import type { AddressInfo } from "node:net";
import { GrpcStatus, MicroError } from "../errors.ts";
import { type Metadata, metadataFrom } from "../metadata.ts";
import { formatAddress, parseAddress } from "./address.ts";
import { deadlineFrom, deadlineSignal } from "./deadline.ts";
import { frameMessage, readMessages } from "./framing.ts";
import { chunksOf } from "./http2-chunks.ts";
import { encodeStatusMessage, okStatus, statusOf } from "./status.ts";
import { type CallHandler, defaultMaxMessageBytes, type Listener, type ServerCall, type Status } from "./transport.ts";

export interface ListenOptions {
  /** `host:port`; port 0 takes a free one. */
  readonly address: string;
  readonly maxMessageBytes?: number;
}

const windowBytes = 1024 * 1024;

/** Serves gRPC over HTTP/2 in clear text (prior knowledge) and hands every call to `handler`. Rejects when the address can't be bound. */
export async function listen(handler: CallHandler, options: ListenOptions): Promise<Listener> {
  const { host, port } = parseAddress(options.address);
  const maxBytes = options.maxMessageBytes ?? defaultMaxMessageBytes;
  const sessions = new Set<Http2Session>();
  const server = createServer({
    settings: { initialWindowSize: windowBytes, maxConcurrentStreams: 10_000, maxHeaderListSize: 64 * 1024 },
    maxSessionMemory: 256,
  });
  server.on("session", (session) => {
    session.setLocalWindowSize(windowBytes * 16);
    sessions.add(session);
    session.on("close", () => sessions.delete(session));
    session.on("error", () => session.destroy());
  });
  server.on("sessionError", () => {});
  server.on("stream", (stream, headers) => void serve(stream as ServerHttp2Stream, headers, handler, maxBytes));
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port, host }, () => resolve());
  });
  // A connection that can't be accepted is its caller's loss alone.
  server.on("error", () => {});
  const bound = (server.address() as AddressInfo).port;
  let closing: Promise<void> | undefined;
  const close = (graceMs: number) => {
    closing ??= new Promise<void>((resolve) => {
      server.close(() => resolve());
      for (const session of sessions) session.close();
      setTimeout(() => {
        for (const session of sessions) session.destroy();
      }, graceMs).unref();
    });
    return closing;
  };
  return { address: formatAddress(host, bound), port: bound, close, [Symbol.asyncDispose]: () => close(0) };
}

async function serve(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, handler: CallHandler, maxBytes: number) {
  stream.on("error", () => {});
  const contentType = String(headers["content-type"] ?? headers["x-content-type"] ?? "application/grpc");
  if (headers[":method"] !== "POST" || !/^application\/(grpc|json|proto)/.test(contentType)) {
    const notGrpc = { ":status": headers[":method"] === "POST" ? 415 : 405, "content-type": "text/plain" };
    stream.respond(notGrpc);
    stream.end("this port speaks gRPC; the HTTP gateway is on another one\n");
    return;
  }
  const aborted = new AbortController();
  let finished = false;
  stream.on("close", () => {
    if (!finished) aborted.abort(new DOMException("the caller went away", "AbortError"));
  });
  const deadline = deadlineFrom(headers);
  using limited = deadlineSignal(aborted.signal, deadline);
  const call = new Http2ServerCall(stream, headers, contentType, deadline, limited.signal, maxBytes);
  let status: Status = okStatus;
  try {
    await Promise.race([handler(call), whenTimedOut(limited.signal)]);
  } catch (error) {
    status = statusOf(error, call.path.slice(1).replace("/", "."));
  }
  finished = true;
  call.finish(status);
}

/** Rejects with a 408 when the deadline passes, so that a handler that ignores its signal can't hold the call. */
function whenTimedOut(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => {
      const timedOut = signal.reason instanceof Error && signal.reason.name === "TimeoutError";
      reject(timedOut ? MicroError.timeout("go.micro.server", "the deadline passed") : signal.reason);
    });
  });
}

class Http2ServerCall implements ServerCall {
  readonly path: string;
  readonly contentType: string;
  readonly metadata: Metadata;
  readonly deadline: Date | undefined;
  readonly peer: string;
  readonly signal: AbortSignal;
  readonly requests: AsyncIterableIterator<Uint8Array>;
  readonly #stream: ServerHttp2Stream;
  #trailers: Record<string, string> = {};

  constructor(
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    contentType: string,
    deadline: Date | undefined,
    signal: AbortSignal,
    maxBytes: number,
  ) {
    this.#stream = stream;
    this.path = headers[":path"] ?? "/";
    this.contentType = contentType;
    this.metadata = metadataFrom(Object.entries(headers));
    this.deadline = deadline;
    this.signal = signal;
    const socket = stream.session?.socket;
    this.peer = formatAddress(socket?.remoteAddress ?? "unknown", socket?.remotePort ?? 0);
    this.requests = readMessages(chunksOf(stream), maxBytes);
  }

  sendHeaders(metadata: Metadata): void {
    const stream = this.#stream;
    if (stream.headersSent || stream.destroyed) return;
    stream.respond({ ...metadata, ":status": 200, "content-type": this.contentType }, { waitForTrailers: true });
    stream.on("wantTrailers", () => {
      if (stream.destroyed) return;
      stream.sendTrailers(this.#trailers);
      release(stream);
    });
  }

  async send(message: Uint8Array): Promise<void> {
    this.sendHeaders({});
    const stream = this.#stream;
    if (stream.destroyed || stream.closed || stream.writableEnded)
      throw MicroError.from(new DOMException("the caller went away", "AbortError"), "go.micro.server");
    if (!stream.write(frameMessage(message))) await drained(stream);
  }

  finish(status: Status): void {
    const stream = this.#stream;
    if (stream.destroyed || stream.closed) return;
    this.#trailers = trailersOf(status);
    if (stream.headersSent) {
      stream.end();
      return;
    }
    if (status.code === GrpcStatus.ok) {
      this.sendHeaders({});
      stream.end();
      return;
    }
    stream.respond({ ...this.#trailers, ":status": 200, "content-type": this.contentType }, { endStream: true });
    release(stream);
  }
}

/**
 * Lets go of a stream whose answer is complete. What the caller still sends is dropped; a caller that never half-closes (wire §0.7) is told
 * to stop, once the trailers are on their way.
 */
function release(stream: ServerHttp2Stream): void {
  // While somebody listens for it, data stays in the stream, and the stream with it.
  stream.removeAllListeners("readable");
  stream.resume();
  setImmediate(() => {
    if (!stream.destroyed && !stream.readableEnded) stream.close(constants.NGHTTP2_NO_ERROR);
  });
}

function trailersOf({ code, message, details, trailers }: Status): Record<string, string> {
  return {
    ...trailers,
    "grpc-status": String(code),
    ...(message !== "" && { "grpc-message": encodeStatusMessage(message) }),
    ...(details !== undefined && { "grpc-status-details-bin": details }),
  };
}

function drained(stream: ServerHttp2Stream): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      stream.off("drain", done);
      stream.off("close", done);
      resolve();
    };
    stream.on("drain", done);
    stream.on("close", done);
  });
}
