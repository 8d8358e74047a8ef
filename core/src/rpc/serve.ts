import type { Account } from "../account.ts";
import { GrpcStatus, MicroError } from "../errors.ts";
import { formatOf } from "./content-type.ts";
import type { CallContext, Method } from "./method.ts";
import { type ServerCall, StatusError } from "./transport.ts";

/** The three names in a `:path` (wire §5): everything before the last dot of the first segment is the service. */
export interface CallPath {
  /** Empty when the path has only a handler. */
  readonly service: string;
  /** `Handler.Method`. */
  readonly endpoint: string;
}

/** Reads `/service.Handler/Method`. Throws gRPC status 3 with the original's wording, which command lines match on (wire §4). */
export function parsePath(path: string): CallPath {
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
  throw MicroError.notImplemented(
    service,
    `${detail}. ${service || "This server"} has ${names.join(", ") || "no endpoints"}`,
  );
}

export interface ServeOptions {
  readonly service: string;
  readonly account: Account | undefined;
  readonly namespace: string;
}

/** Answers a call with a method: decodes, runs the handler, encodes, message by message. */
export async function serveMethod(
  call: ServerCall,
  method: Method,
  { service, account, namespace }: ServeOptions,
): Promise<void> {
  const format = formatOf(call.contentType);
  const context: CallContext = {
    service,
    endpoint: method.name,
    account,
    namespace,
    metadata: call.metadata,
    deadline: call.deadline,
    signal: call.signal,
    format,
    peer: call.peer,
    rest: call.requests,
  };
  const send = (value: unknown) => call.send(method.encode(value, format));
  const decoded = () => decodeAll(call.requests, (bytes) => method.decode(bytes, format));
  switch (method.kind) {
    case "unary":
      return send(await method.handle(method.decode(await firstMessage(call, service), format), context));
    case "client":
      return send(await method.handle(decoded(), context));
    case "server": {
      const request = method.decode(await firstMessage(call, service), format);
      const replies = await method.handle(request, context);
      call.sendHeaders({});
      return sendAll(replies, send);
    }
    case "bidi":
      call.sendHeaders({});
      return sendAll(method.handle(decoded(), context), send);
  }
}

async function firstMessage(call: ServerCall, service: string): Promise<Uint8Array> {
  const { value, done } = await call.requests.next();
  if (done || value === undefined) throw MicroError.badRequest(service, "the call carried no message");
  return value;
}

async function* decodeAll(
  messages: AsyncIterable<Uint8Array>,
  decode: (bytes: Uint8Array) => unknown,
): AsyncGenerator<unknown> {
  for await (const bytes of messages) yield decode(bytes);
}

async function sendAll(values: unknown, send: (value: unknown) => Promise<void>): Promise<void> {
  for await (const value of values as AsyncIterable<unknown>) await send(value);
}
