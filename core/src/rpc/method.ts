import type { DescMessage, DescMethod, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { GenService, GenServiceMethods } from "@bufbuild/protobuf/codegenv2";
import type { Account } from "../account.ts";
import { decodeMessage, encodeMessage, type Format } from "../codec/index.ts";
import type { Metadata } from "../metadata.ts";

/** How many messages go each way. `server` answers one request with many, `client` many with one. */
export type MethodKind = "unary" | "server" | "client" | "bidi";

/** What a handler knows about its call. */
export interface CallContext {
  /** The called service, such as `helloworld`. */
  readonly service: string;
  /** `Handler.Method`. */
  readonly endpoint: string;
  /** Who calls, proven by a verified token; undefined when nobody is signed in. */
  readonly account: Account | undefined;
  /** The tenant the call acts in. */
  readonly namespace: string;
  readonly metadata: Metadata;
  readonly deadline: Date | undefined;
  /** Aborts when the caller cancels or goes away, or the deadline passes. */
  readonly signal: AbortSignal;
  /** How messages are written on this call. */
  readonly format: Format;
  readonly peer: string;
  /** On a `server` call: what the caller sends after its one request, undecoded (the original's consumers acknowledge this way, wire §9). */
  readonly rest: AsyncIterable<Uint8Array>;
}

/** One rpc a server answers. `handle` takes a message or an iterable of them and returns a promise or an iterable, as `kind` says. */
export interface Method {
  /** `Handler.Method`. */
  readonly name: string;
  readonly kind: MethodKind;
  decode(bytes: Uint8Array, format: Format): unknown;
  encode(value: unknown, format: Format): Uint8Array;
  handle(request: unknown, context: CallContext): unknown;
  /** Set when the method comes from a .proto file. */
  readonly descriptor?: DescMethod;
}

type HandlerOf<M> = M extends {
  methodKind: infer K;
  input: infer I extends DescMessage;
  output: infer O extends DescMessage;
}
  ? K extends "unary"
    ? (request: MessageShape<I>, context: CallContext) => Promise<MessageInitShape<O>>
    : K extends "server_streaming"
      ? (
          request: MessageShape<I>,
          context: CallContext,
        ) => AsyncIterable<MessageInitShape<O>> | Promise<AsyncIterable<MessageInitShape<O>>>
      : K extends "client_streaming"
        ? (requests: AsyncIterable<MessageShape<I>>, context: CallContext) => Promise<MessageInitShape<O>>
        : (requests: AsyncIterable<MessageShape<I>>, context: CallContext) => AsyncIterable<MessageInitShape<O>>
  : never;

/**
 * One function for each rpc of a protobuf service, under its lower-camel name. Response headers of a server-streaming rpc go out when its
 * function has returned, or when the promise it returned resolves: a caller who waits for them knows that a subscription is live.
 */
export type Handlers<T extends GenServiceMethods> = { [K in keyof T]: HandlerOf<T[K]> };

const kinds: Readonly<Record<DescMethod["methodKind"], MethodKind>> = {
  unary: "unary",
  server_streaming: "server",
  client_streaming: "client",
  bidi_streaming: "bidi",
};

/** The kind of a protobuf method. */
export function kindOf(method: DescMethod): MethodKind {
  return kinds[method.methodKind];
}

/** The methods of a protobuf service, answered by `handlers`. */
export function methodsOf<T extends GenServiceMethods>(service: GenService<T>, handlers: Handlers<T>): Method[] {
  return service.methods.map((method) => {
    const handle = handlers[method.localName as keyof T] as Method["handle"];
    return {
      name: `${service.name}.${method.name}`,
      kind: kindOf(method),
      decode: (bytes, format) => decodeMessage(method.input, bytes, format),
      encode: (value, format) => encodeMessage(method.output, value as MessageInitShape<DescMessage>, format),
      handle: (request, context) => handle.call(handlers, request, context),
      descriptor: method,
    };
  });
}
