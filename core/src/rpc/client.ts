// Nothing of protobuf's schemas is imported here: loading those takes longer than all the rest of a command that calls in JSON.
import type { Format } from "../codec/index.ts";
import { GrpcStatus, MicroError } from "../errors.ts";
import type { Metadata } from "../metadata.ts";
import { Connections } from "./connections.ts";
import { contentTypes } from "./content-type.ts";
import { deadlineSignal } from "./deadline.ts";
import { Pull } from "./pull.ts";
import { errorOf } from "./status.ts";
import { accepted, type CallStart, type ClientCall, type Status, StatusError } from "./transport.ts";

/** The error id of everything that the client itself finds wrong, as in the original. */
const clientId = "go.micro.client";

/** Unary calls end after this long unless told otherwise; streams have no limit of their own. */
export const defaultTimeoutMs = 10_000;

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** Default 10 s for unary calls, none for streams; `Infinity` is none. A nearer `deadline` wins. */
  readonly timeoutMs?: number | undefined;
  /** The caller's own deadline, passed on. */
  readonly deadline?: Date | undefined;
  /** Added to, and winning over, the client's metadata. */
  readonly metadata?: Metadata | undefined;
  /** Goes there instead of where `resolve` says. */
  readonly address?: string | undefined;
  /** Default `proto` for protobuf services, `json` for calls by name. */
  readonly format?: Format | undefined;
  /** Compresses what is sent with gzip. Compressed replies are read in any case. */
  readonly compress?: boolean | undefined;
  /** While nothing listens, keeps trying until the deadline passes instead of failing at once. */
  readonly waitForReady?: boolean | undefined;
  /** Told once, when the call is over, what a reply doesn't say: the response headers, and the status with the trailers. */
  readonly onEnd?: CallStart["onEnd"];
}

export interface RpcClientOptions {
  /** Where a service answers: `host:port`. Throws when it is nowhere. */
  resolve(service: string): string | Promise<string>;
  /** Sent with every call: namespace and identity. */
  metadata?(): Metadata | Promise<Metadata>;
  /** Shared connections; by default the client has its own and closes them with itself. */
  readonly connections?: Connections;
}

/** Calls services over gRPC. Errors are MicroErrors; a lost or refused connection is a 503, a passed deadline a 408. */
export class RpcClient implements AsyncDisposable {
  readonly #options: RpcClientOptions;
  readonly #connections: Connections;

  constructor(options: RpcClientOptions) {
    this.#options = options;
    this.#connections = options.connections ?? new Connections();
  }

  /** One request, one reply, both as bytes in the format given. `endpoint` is `Handler.Method`. */
  unary(service: string, endpoint: string, request: Uint8Array, options: CallOptions = {}): Promise<Uint8Array> {
    try {
      const prepared = this.#prepare(service, endpoint, options, deadlineOf(options, defaultTimeoutMs));
      return prepared instanceof Promise
        ? prepared.then((ready) => this.#unary(ready, request, options))
        : this.#unary(prepared, request, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #unary({ address, start }: Prepared, request: Uint8Array, { signal }: CallOptions): Promise<Uint8Array> {
    return this.#connections.unary(address, start, request, signal, errorOfStatus);
  }

  /** One request, many replies. Leaving the loop early cancels the call. */
  serverStream(
    service: string,
    endpoint: string,
    request: Uint8Array,
    options: CallOptions = {},
  ): AsyncGenerator<Uint8Array, void, undefined> {
    return this.bidi(service, endpoint, once(request), options);
  }

  /**
   * A server-streaming call that is open when the promise resolves: the server has taken it and sent its headers. The replies go to one reader;
   * leaving the loop early or aborting the signal cancels the call, so does never starting the loop and aborting. `more` is sent after the request.
   */
  async openStream(
    service: string,
    endpoint: string,
    request: Uint8Array,
    options: CallOptions = {},
    more?: AsyncIterable<Uint8Array>,
  ): Promise<AsyncGenerator<Uint8Array, void, undefined>> {
    try {
      const call = await this.#open(service, endpoint, options);
      if (more === undefined) await sendLast(call, request);
      else sendAll(call, followed(request, more));
      await call.headers;
      return new Pull(
        () => nextReply(call),
        () => call.cancel(),
      );
    } catch (error) {
      throw error instanceof StatusError ? errorOf(error.status, clientId) : error;
    }
  }

  /** Many requests, one reply. */
  async clientStream(
    service: string,
    endpoint: string,
    requests: AsyncIterable<Uint8Array>,
    options: CallOptions = {},
  ): Promise<Uint8Array> {
    const call = await this.#open(service, endpoint, options);
    const sending = sendAll(call, requests);
    try {
      return await reply(call);
    } catch (error) {
      throw sending.failure ?? error;
    }
  }

  /** Many requests, many replies, independent of each other. Leaving the loop early cancels the call. */
  bidi(
    service: string,
    endpoint: string,
    requests: AsyncIterable<Uint8Array>,
    options: CallOptions = {},
  ): AsyncGenerator<Uint8Array, void, undefined> {
    let call: ClientCall | undefined;
    let sending: Sending | undefined;
    let isLeft = false;
    const begin = async () => {
      call = await this.#open(service, endpoint, options);
      if (isLeft) call.cancel();
      sending = sendAll(call, requests);
      return await nextReply(call, sending);
    };
    return new Pull(
      () => (call === undefined ? begin() : nextReply(call, sending)),
      () => {
        isLeft = true;
        call?.cancel();
      },
    );
  }

  /** A unary call by name with JSON both ways, as the command line and untyped callers make it. */
  async callJson(service: string, endpoint: string, request: unknown, options: CallOptions = {}): Promise<unknown> {
    const bytes = await this.unary(service, endpoint, Buffer.from(JSON.stringify(request ?? {})), {
      ...options,
      format: "json",
    });
    return parseReply(bytes, service, endpoint);
  }

  /** A server-streaming call by name with JSON both ways. */
  async *streamJson(
    service: string,
    endpoint: string,
    request: unknown,
    options: CallOptions = {},
  ): AsyncGenerator<unknown, void, undefined> {
    const bytes = Buffer.from(JSON.stringify(request ?? {}));
    for await (const message of this.serverStream(service, endpoint, bytes, { ...options, format: "json" })) {
      yield parseReply(message, service, endpoint);
    }
  }

  async #open(service: string, endpoint: string, options: CallOptions): Promise<ClientCall> {
    const { address, start } = await this.#prepare(service, endpoint, options, deadlineOf(options, undefined));
    return this.#connections.open(address, start, options.signal);
  }

  /** Where the call goes and what goes out with it; at once when neither the address nor the metadata has to be waited for. */
  #prepare(
    service: string,
    endpoint: string,
    options: CallOptions,
    deadline: Date | undefined,
  ): Prepared | Promise<Prepared> {
    const path = pathOf(service, endpoint);
    if (options.signal?.aborted) throw abortError(options.signal);
    const metadata = this.#options.metadata?.();
    const address = options.address ?? this.#options.resolve(service);
    const prepared = (base: Metadata | undefined, to: string): Prepared => ({
      address: to,
      start: {
        path,
        contentType: contentTypes[options.format ?? "proto"],
        metadata: options.metadata === undefined ? (base ?? {}) : { ...base, ...options.metadata },
        deadline,
        compress: options.compress,
        waitForReady: options.waitForReady,
        onEnd: options.onEnd,
      },
    });
    if (!(metadata instanceof Promise) && !(address instanceof Promise)) return prepared(metadata, address);
    return inTime(Promise.all([metadata, address]), options.signal, deadline).then(([base, to]) => prepared(base, to));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#options.connections === undefined) await this.#connections[Symbol.asyncDispose]();
  }
}

/** `/service.Handler/Method` (wire §2.1). */
export function pathOf(service: string, endpoint: string): string {
  const known = knownPaths.get(endpoint)?.get(service);
  if (known !== undefined) return known;
  const path = joinPath(service, endpoint);
  if (path.length <= longestKnownPath) rememberPath(service, endpoint, path);
  return path;
}

function rememberPath(service: string, endpoint: string, path: string): void {
  if (knownPathCount >= maxKnownPaths) {
    knownPaths.clear();
    knownPathCount = 0;
  }
  knownPathCount++;
  const paths = knownPaths.get(endpoint);
  if (paths === undefined) knownPaths.set(endpoint, new Map([[service, path]]));
  else paths.set(service, path);
}

/** Paths by endpoint and service: one text for all calls is also found faster in the header table. Bounded, since a gateway's callers choose them. */
const knownPaths = new Map<string, Map<string, string>>();
let knownPathCount = 0;
const maxKnownPaths = 2000;
const longestKnownPath = 200;

function joinPath(service: string, endpoint: string): string {
  const dot = endpoint.indexOf(".");
  if (dot <= 0 || dot !== endpoint.lastIndexOf(".")) {
    throw MicroError.badRequest(
      clientId,
      `malformed method name: "${endpoint}". Expecting Handler.Method, such as Helloworld.Call`,
    );
  }
  return `/${service === "" ? "" : `${service}.`}${endpoint.slice(0, dot)}/${endpoint.slice(dot + 1)}`;
}

function deadlineOf({ timeoutMs, deadline }: CallOptions, defaultMs: number | undefined): Date | undefined {
  const ms = timeoutMs ?? (deadline === undefined ? defaultMs : undefined);
  const own = ms === undefined || ms === Number.POSITIVE_INFINITY ? undefined : new Date(Date.now() + ms);
  if (own === undefined || deadline === undefined) return own ?? deadline;
  return own < deadline ? own : deadline;
}

/** What has become of the requests. */
interface Sending {
  failure?: unknown;
}

interface Prepared {
  readonly address: string;
  readonly start: CallStart;
}

/** The value, or a rejection as soon as the signal aborts or the deadline passes: getting a token must not outlast the call it is for. */
async function inTime<T>(value: Promise<T>, signal: AbortSignal | undefined, deadline: Date | undefined): Promise<T> {
  using limited = deadlineSignal(signal, deadline);
  const aborted = Promise.withResolvers<never>();
  limited.signal.addEventListener("abort", () => aborted.reject(abortError(limited.signal)), { once: true });
  return await Promise.race([value, aborted.promise]);
}

function abortError({ reason }: AbortSignal): MicroError {
  return reason instanceof Error && reason.name === "TimeoutError"
    ? MicroError.timeout(clientId, "the deadline passed before an answer came")
    : new MicroError(499, clientId, "the call was cancelled");
}

async function sendLast(call: ClientCall, request: Uint8Array): Promise<void> {
  try {
    await call.send(request);
    call.end();
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    throwUnlessOk(error.status);
  }
}

/**
 * Sends until the iterable ends, then half-closes. Nobody waits for it: a server may end the call before the requests do. What stops the
 * sending is told by the call's status, except a failure of the iterable itself, which cancels the call and is kept in `failure`.
 */
function sendAll(call: ClientCall, requests: AsyncIterable<Uint8Array>): Sending {
  const outcome: Sending = {};
  const run = async () => {
    for await (const request of requests) {
      const sent = call.send(request);
      if (sent !== accepted) await sent;
    }
    call.end();
  };
  run().catch((error: unknown) => {
    if (error instanceof StatusError) return;
    outcome.failure = error;
    call.cancel();
  });
  return outcome;
}

/** The next reply; undefined when the call has ended well, and an error when it hasn't. */
function nextReply(call: ClientCall, sending?: Sending): Uint8Array | Promise<Uint8Array | undefined> {
  const message = call.read();
  if (message === undefined) return endOf(call, sending);
  if (!(message instanceof Promise)) return message;
  return message.then((settled) => settled ?? endOf(call, sending), rethrow);
}

async function endOf(call: ClientCall, sending: Sending | undefined): Promise<undefined> {
  const status = await call.status;
  if (sending?.failure !== undefined) throw sending.failure;
  throwUnlessOk(status);
}

function rethrow(error: unknown): never {
  throw error instanceof StatusError ? errorOf(error.status, clientId) : error;
}

async function reply(call: ClientCall): Promise<Uint8Array> {
  const only = await Promise.resolve(call.read()).catch(rethrow);
  const second = only === undefined ? undefined : await Promise.resolve(call.read()).catch(rethrow);
  if (second !== undefined) {
    call.cancel(secondReply);
    throw errorOfStatus(secondReply);
  }
  throwUnlessOk(await call.status);
  if (only === undefined) throw MicroError.notImplemented(clientId, "the call ended with no reply, and it has one");
  return only;
}

/** A cardinality violation (gRPC statuscodes.md). */
const secondReply: Status = {
  code: GrpcStatus.unimplemented,
  message: "the call ended with more than one reply, and it has one",
  trailers: {},
};

function throwUnlessOk(status: Status): void {
  if (status.code !== GrpcStatus.ok) throw errorOf(status, clientId);
}

function errorOfStatus(status: Status): MicroError {
  return errorOf(status, clientId);
}

function parseReply(bytes: Uint8Array, service: string, endpoint: string): unknown {
  try {
    return bytes.length === 0 ? {} : JSON.parse(Buffer.from(bytes).toString());
  } catch {
    throw MicroError.internal(clientId, `${service} ${endpoint} answered with something that is not JSON`);
  }
}

async function* followed<T>(value: T, more: AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
  yield value;
  yield* more;
}

async function* once<T>(value: T): AsyncGenerator<T, void, undefined> {
  yield value;
}
