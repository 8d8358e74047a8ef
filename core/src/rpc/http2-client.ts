import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
} from "node:http2";
import { GrpcStatus, MicroError } from "../errors.ts";
import { type Metadata, metadataFrom } from "../metadata.ts";
import { formatAddress, parseAddress } from "./address.ts";
import { formatGrpcTimeout } from "./deadline.ts";
import { frameMessage, readMessages } from "./framing.ts";
import { chunksOf } from "./http2-chunks.ts";
import { decodeStatusMessage } from "./status.ts";
import { type CallStart, type ClientCall, defaultMaxMessageBytes, type Status, StatusError } from "./transport.ts";

const windowBytes = 1024 * 1024;

/** One HTTP/2 connection per address, opened at the first call and again after it broke. */
export class Connections implements AsyncDisposable {
  readonly #sessions = new Map<string, ClientHttp2Session>();
  readonly #maxBytes: number;

  constructor(maxMessageBytes = defaultMaxMessageBytes) {
    this.#maxBytes = maxMessageBytes;
  }

  /** Starts a call. Failing to connect shows as the call's status (14, Unavailable); a malformed address and metadata that can't be sent throw 400. */
  open(address: string, start: CallStart, signal: AbortSignal | undefined): ClientCall {
    const session = this.#session(address);
    return new Http2ClientCall(session, address, start, signal, this.#maxBytes);
  }

  #session(address: string): ClientHttp2Session {
    const known = this.#sessions.get(address);
    if (known !== undefined && !known.closed && !known.destroyed) return known;
    const { host, port, tls } = parseAddress(address);
    const session = connect(`${tls ? "https" : "http"}://${formatAddress(host, port)}`, {
      settings: { enablePush: false, initialWindowSize: windowBytes },
      maxSessionMemory: 256,
    });
    session.on("connect", () => session.setLocalWindowSize(windowBytes * 16));
    session.on("error", () => this.#drop(address, session));
    session.on("close", () => this.#drop(address, session));
    session.on("goaway", () => this.#drop(address, session));
    // An idle connection must not keep a process alive; a call in progress does.
    session.unref();
    this.#sessions.set(address, session);
    return session;
  }

  #drop(address: string, session: ClientHttp2Session): void {
    if (this.#sessions.get(address) === session) this.#sessions.delete(address);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const session of this.#sessions.values()) session.destroy();
    this.#sessions.clear();
  }
}

class Http2ClientCall implements ClientCall {
  readonly headers: Promise<Metadata>;
  readonly responses: AsyncIterableIterator<Uint8Array>;
  readonly status: Promise<Status>;
  readonly #stream: ClientHttp2Stream;
  readonly #session: ClientHttp2Session;
  #cancelled = false;

  constructor(
    session: ClientHttp2Session,
    address: string,
    start: CallStart,
    signal: AbortSignal | undefined,
    maxBytes: number,
  ) {
    this.#session = session;
    const stream = session.request(requestHeaders(start));
    this.#stream = stream;
    openCalls.set(session, (openCalls.get(session) ?? 0) + 1);
    session.ref();
    const outcome = Promise.withResolvers<Status>();
    const headers = Promise.withResolvers<Metadata>();
    headers.promise.catch(() => {});
    let failure: Error | undefined;
    let httpStatus = 200;
    let answered = false;
    let settled = false;
    const settle = (status: Status) => {
      if (settled) return;
      settled = true;
      outcome.resolve(status);
      if (!answered) headers.reject(new StatusError(status));
    };
    stream.on("response", (received) => {
      httpStatus = Number(received[":status"] ?? 200);
      const status = received["grpc-status"] === undefined ? undefined : statusFrom(received);
      if (status === undefined || status.code === GrpcStatus.ok) {
        answered = true;
        headers.resolve(metadataFrom(Object.entries(received)));
      }
      if (status !== undefined) settle(status);
    });
    // The answer is whole with its trailers, whether or not the server also ends what this side sends.
    stream.on("trailers", (received) => settle(statusFrom(received)));
    stream.on("end", () => {
      if (!stream.writableEnded) stream.close(constants.NGHTTP2_CANCEL);
    });
    stream.on("error", (error) => {
      failure ??= error;
    });
    const onAbort = () => this.cancel();
    if (signal?.aborted) queueMicrotask(onAbort);
    else signal?.addEventListener("abort", onAbort, { once: true });
    stream.on("close", () => {
      signal?.removeEventListener("abort", onAbort);
      this.#release();
      settle(this.#cancelled ? cancelled(signal) : lost(address, failure, httpStatus, stream.rstCode));
    });
    this.status = outcome.promise;
    this.headers = headers.promise;
    this.responses = this.#read(maxBytes);
  }

  async send(message: Uint8Array): Promise<void> {
    const stream = this.#stream;
    if (stream.destroyed || stream.closed || stream.writableEnded) throw new StatusError(await this.status);
    if (stream.write(frameMessage(message))) return;
    await new Promise<void>((resolve) => {
      const done = () => {
        stream.off("drain", done);
        stream.off("close", done);
        resolve();
      };
      stream.on("drain", done);
      stream.on("close", done);
    });
  }

  end(): void {
    if (!this.#stream.destroyed) this.#stream.end();
  }

  cancel(): void {
    if (this.#stream.destroyed) return;
    this.#cancelled = true;
    this.#stream.close(constants.NGHTTP2_CANCEL);
    // A reset alone leaves a reader waiting for the server's part.
    this.#stream.destroy();
  }

  async *#read(maxBytes: number): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      yield* readMessages(chunksOf(this.#stream), maxBytes);
    } catch (error) {
      // A reset or a broken connection is told by the status; a malformed message is this side's finding.
      if (!(error instanceof StatusError)) return;
      this.cancel();
      throw error;
    }
  }

  /** The session keeps the process alive only while calls are open on it. */
  #release(): void {
    const open = (openCalls.get(this.#session) ?? 1) - 1;
    openCalls.set(this.#session, open);
    if (open === 0 && !this.#session.destroyed) this.#session.unref();
  }
}

const openCalls = new WeakMap<ClientHttp2Session, number>();

function requestHeaders({ path, contentType, metadata, deadline }: CallStart): Record<string, string> {
  const headers: Record<string, string> = {
    ":method": "POST",
    ":path": path,
    ...sendable(metadata),
    "content-type": contentType,
    te: "trailers",
    "user-agent": "micro-ts",
  };
  if (deadline !== undefined) {
    const left = Math.max(1, deadline.getTime() - Date.now());
    headers["grpc-timeout"] = formatGrpcTimeout(left);
    headers["timeout"] = String(Math.round(left * 1e6));
  }
  return headers;
}

/** Reserved keys are dropped. Throws 400 for a value that HTTP/2 can't carry: sent, it would cost the call without a word. */
function sendable(metadata: Metadata): Record<string, string> {
  const headers = metadataFrom(Object.entries(metadata));
  for (const key in headers) {
    if (/^[\t\x20-\x7e\x80-\xff]*$/.test(headers[key] ?? "")) continue;
    throw MicroError.badRequest(
      "go.micro.client",
      `the metadata "${key}" has a character that no header can carry: send it in base64, under a key that ends in -bin`,
    );
  }
  return headers;
}

function statusFrom(headers: IncomingHttpHeaders): Status {
  const details = headers["grpc-status-details-bin"];
  return {
    code: Number(headers["grpc-status"] ?? GrpcStatus.unknown),
    message: decodeStatusMessage(String(headers["grpc-message"] ?? "")),
    details: typeof details === "string" ? details : undefined,
    trailers: metadataFrom(Object.entries(headers)),
  };
}

function cancelled(signal: AbortSignal | undefined): Status {
  const timedOut = signal?.reason instanceof Error && signal.reason.name === "TimeoutError";
  return timedOut
    ? { code: GrpcStatus.deadlineExceeded, message: "the deadline passed before an answer came", trailers: {} }
    : { code: GrpcStatus.cancelled, message: "the call was cancelled", trailers: {} };
}

function lost(address: string, failure: Error | undefined, httpStatus: number, rstCode: number): Status {
  if (httpStatus !== 200) {
    return {
      code: GrpcStatus.unavailable,
      message: `${address} answered with HTTP status ${httpStatus}, not gRPC`,
      trailers: {},
    };
  }
  const code = (failure as NodeJS.ErrnoException | undefined)?.code;
  const cause = (failure?.cause as NodeJS.ErrnoException | undefined)?.code;
  const refused = [code, cause].find(
    (name) => name !== undefined && /^E(CONN|HOST|NET|ADDR|TIMEDOUT|PIPE|AI_|NOTFOUND)/.test(name),
  );
  const message =
    refused === "ECONNREFUSED"
      ? `nothing listens on ${address} (connection refused)`
      : `lost the connection to ${address}: ${failure?.message ?? `stream reset with code ${rstCode}`}`;
  return { code: GrpcStatus.unavailable, message, trailers: {}, lost: true };
}
