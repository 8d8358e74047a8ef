import type { Account } from "../account.ts";
import type { Format } from "../codec/index.ts";
import { GrpcStatus, MicroError } from "../errors.ts";
import type { Metadata } from "../metadata.ts";
import { formatOf } from "./content-type.ts";
import type { CallContext, Method } from "./method.ts";
import { mapOne, Pull } from "./pull.ts";
import { finding } from "./status.ts";
import { accepted, type ServerCall, StatusError } from "./transport.ts";

/** The three names in a `:path` (wire §5): everything before the last dot of the first segment is the service. */
export interface CallPath {
  /** Empty when the path has only a handler. */
  readonly service: string;
  /** `Handler.Method`. */
  readonly endpoint: string;
}

/** Reads `/service.Handler/Method`. Throws gRPC status 3 with the original's wording, which command lines match on (wire §4). */
export function parsePath(path: string): CallPath {
  const known = knownPaths.get(path);
  if (known !== undefined) return known;
  const parsed = splitPath(path);
  if (knownPaths.size >= maxKnownPaths) knownPaths.clear();
  if (path.length <= longestKnownPath) knownPaths.set(path, parsed);
  return parsed;
}

/** Paths read before; bounded, since callers choose them. */
const knownPaths = new Map<string, CallPath>();
const maxKnownPaths = 2000;
const longestKnownPath = 200;

function splitPath(path: string): CallPath {
  const [empty, first, method, ...more] = path.split("/");
  if (empty !== "" || !first || !method || more.length > 0) {
    throw new StatusError({
      code: GrpcStatus.invalidArgument,
      message: `malformed method name: "${path}"`,
      trailers: {},
    });
  }
  const dot = first.lastIndexOf(".");
  return { service: first.slice(0, Math.max(0, dot)), endpoint: `${first.slice(dot + 1)}.${method}` };
}

/** Finds the method for a path's endpoint, or throws status 12 naming what is there, with the original's wording first (wire §3). */
export function findMethod(methods: ReadonlyMap<string, Method>, service: string, endpoint: string): Method {
  const method = methods.get(endpoint);
  if (method !== undefined) return method;
  const handler = endpoint.slice(0, endpoint.indexOf("."));
  const known = [...methods.keys()].some((name) => name.startsWith(`${handler}.`));
  const detail = `unknown service ${known ? endpoint : handler}`;
  const names = [...methods.keys()].filter((name) => !name.startsWith("Debug."));
  const has = `${service || "This server"} has ${names.join(", ") || "no endpoints"}`;
  throw finding(MicroError.notImplemented(service, `${detail}. ${has}`));
}

export interface ServeOptions {
  readonly service: string;
  readonly account: Account | undefined;
  readonly namespace: string;
}

/** Answers a call with a method: decodes, runs the handler, encodes, message by message. A unary handler that answers at once is answered at once. */
export function serveMethod(call: ServerCall, method: Method, options: ServeOptions): Promise<void> {
  const context = new ServedContext(call, method.name, options);
  return method.kind === "unary" ? serveUnary(call, method, context) : serveStream(call, method, context);
}

/** Built for each call: what is costly and seldom looked at is made when it is. */
class ServedContext implements CallContext {
  readonly service: string;
  readonly endpoint: string;
  readonly account: Account | undefined;
  readonly namespace: string;
  readonly format: Format;
  readonly #call: ServerCall;
  /** Whether the handler reads what follows the request. */
  isRestTaken = false;

  constructor(call: ServerCall, endpoint: string, { service, account, namespace }: ServeOptions) {
    this.#call = call;
    this.service = service;
    this.endpoint = endpoint;
    this.account = account;
    this.namespace = namespace;
    this.format = formatOf(call.contentType);
  }

  get metadata(): Metadata {
    return this.#call.metadata;
  }

  get deadline(): Date | undefined {
    return this.#call.deadline;
  }

  get signal(): AbortSignal {
    return this.#call.signal;
  }

  get peer(): string {
    return this.#call.peer;
  }

  get rest(): AsyncIterable<Uint8Array> {
    this.isRestTaken = true;
    return this.#call.requests;
  }
}

async function serveUnary(call: ServerCall, method: Method, context: ServedContext): Promise<void> {
  const { format } = context;
  let request = call.read();
  if (request instanceof Promise) request = await request;
  if (request === undefined) throw noMessage(context.service);
  const more = call.read();
  if (more instanceof Promise ? await isSecond(more) : more !== undefined) throw secondMessage(context.service);
  let reply = method.handle(method.decode(request, format), context);
  if (reply instanceof Promise) reply = await reply;
  // Nothing follows, so nothing waits: a caller that doesn't take its reply keeps no handler (limits.stallMs ends its call).
  void call.send(method.encode(reply, format));
}

async function serveStream(call: ServerCall, method: Method, context: ServedContext): Promise<void> {
  const { format } = context;
  const send = (value: unknown) => call.send(method.encode(value, format));
  const decode = (bytes: Uint8Array) => method.decode(bytes, format);
  const decoded = () =>
    new Pull(
      () => mapOne(call.read(), decode),
      () => {},
    );
  switch (method.kind) {
    case "client":
      void send(await method.handle(decoded(), context));
      return;
    case "server": {
      const request = await call.read();
      if (request === undefined) throw noMessage(context.service);
      const replies = await method.handle(method.decode(request, format), context);
      call.sendHeaders({});
      await sendAll(replies, send);
      if (context.isRestTaken) return;
      // Not before: a stream to the original's clients must begin without their half-close (wire §0.7).
      const more = call.read();
      if (more instanceof Promise ? await isSecond(more) : more !== undefined) throw secondMessage(context.service);
      return;
    }
    default:
      call.sendHeaders({});
      return sendAll(method.handle(decoded(), context), send);
  }
}

/** How long a call that takes one message waits for its half-close before it does without. */
const halfCloseMs = 100;

/** Whether a second message follows. Only the half-close says no; the original's streams to unary endpoints never send it (wire §0.7). */
async function isSecond(more: Promise<Uint8Array | undefined>): Promise<boolean> {
  const patience = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => patience.resolve(undefined), halfCloseMs);
  try {
    return (await Promise.race([more, patience.promise])) !== undefined;
  } finally {
    clearTimeout(timer);
  }
}

// Cardinality violations (gRPC statuscodes.md).
function noMessage(service: string): StatusError {
  return finding(MicroError.notImplemented(service, "the call carried no message, and it takes one"));
}

function secondMessage(service: string): StatusError {
  return finding(MicroError.notImplemented(service, "the call carried more than one message, and it takes one"));
}

async function sendAll(values: unknown, send: (value: unknown) => Promise<void>): Promise<void> {
  if (values instanceof Pull) return sendPulled(values, send);
  for await (const value of values as AsyncIterable<unknown>) {
    const sent = send(value);
    if (sent !== accepted) await sent;
  }
}

/** What is there goes out without a turn in between, until the transport is full. */
async function sendPulled(values: Pull<unknown>, send: (value: unknown) => Promise<void>): Promise<void> {
  try {
    for (;;) {
      let value = values.read();
      if (value instanceof Promise) value = await value;
      if (value === undefined) return;
      const sent = send(value);
      if (sent !== accepted) await sent;
    }
  } finally {
    await values.return();
  }
}
