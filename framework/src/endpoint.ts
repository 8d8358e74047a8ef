import type { Account, Log, Metadata } from "@microts/core";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Schema } from "./schema/schema.ts";

/** What a handler knows about its call. */
export interface Context {
  /** Who calls, proven by a verified token; undefined when nobody is signed in. */
  readonly account: Account | undefined;
  /** The tenant the call acts in. */
  readonly namespace: string;
  /** Lower-case keys. */
  readonly metadata: Metadata;
  /** When the caller stops waiting, if it said so. */
  readonly deadline: Date | undefined;
  /** Aborts when the caller cancels or goes away, or the deadline passes. */
  readonly signal: AbortSignal;
  /** Writes to the service's log, with the endpoint's name on each line. */
  readonly log: Log;
  /** Name of this service and `Handler.Method` of this endpoint. */
  readonly service: string;
  readonly endpoint: string;
}

interface Common<I, O> {
  /** Checks requests; its type is the handler's input. Without one there is nothing to send: the handler gets {}. */
  readonly input?: Schema<I, unknown> | undefined;
  /** Checks replies, and leaves out what it doesn't name. */
  readonly output?: Schema<unknown, O> | undefined;
  /** One sentence, shown by `micro <service> --help`, the dashboard and OpenAPI. */
  readonly description?: string | undefined;
}

/** One request, one reply. */
export interface UnaryEndpoint<I, O> extends Common<I, O> {
  readonly kind: "unary";
  readonly handler: (input: never, context: Context) => unknown;
}

/** One request, many replies: the handler is an async generator. */
export interface StreamEndpoint<I, O> extends Common<I, O> {
  readonly kind: "server";
  readonly handler: (input: never, context: Context) => AsyncIterable<unknown>;
}

/** Many requests, one reply. */
export interface ClientStreamEndpoint<I, O> extends Common<I, O> {
  readonly kind: "client";
  readonly handler: (inputs: AsyncIterable<never>, context: Context) => unknown;
}

/** Many requests, many replies. */
export interface BidiEndpoint<I, O> extends Common<I, O> {
  readonly kind: "bidi";
  readonly handler: (inputs: AsyncIterable<never>, context: Context) => AsyncIterable<unknown>;
}

export type Endpoint<I = unknown, O = unknown> =
  | UnaryEndpoint<I, O>
  | StreamEndpoint<I, O>
  | ClientStreamEndpoint<I, O>
  | BidiEndpoint<I, O>;

interface Definition<Input extends Schema | undefined, Output extends Schema | undefined> {
  readonly input?: Input;
  readonly output?: Output;
  readonly description?: string;
}

/** What callers send, what the handler gets, what the handler returns, what callers get. */
type Sent<S> = S extends StandardSchemaV1 ? StandardSchemaV1.InferInput<S> : Record<string, never> | undefined;
type Received<S> = S extends StandardSchemaV1 ? StandardSchemaV1.InferOutput<S> : Record<string, never>;
type Returned<S> = S extends StandardSchemaV1 ? StandardSchemaV1.InferInput<S> : unknown;
type Answer<S, R> = S extends StandardSchemaV1 ? StandardSchemaV1.InferOutput<S> : R;

/**
 * Declares an endpoint. The handler decides its kind: a function answers one request with one reply, an async generator with many. With
 * `inputs: "stream"` the handler is given an AsyncIterable of requests instead of one.
 */
export function endpoint<
  I extends Schema | undefined = undefined,
  O extends Schema | undefined = undefined,
  R extends Returned<O> = Returned<O>,
>(
  definition: Definition<I, O> & {
    readonly inputs: "stream";
    handler(inputs: AsyncIterable<Received<I>>, context: Context): AsyncGenerator<R, void, undefined>;
  },
): BidiEndpoint<Sent<I>, Answer<O, R>>;
export function endpoint<
  I extends Schema | undefined = undefined,
  O extends Schema | undefined = undefined,
  R extends Returned<O> = Returned<O>,
>(
  definition: Definition<I, O> & {
    readonly inputs: "stream";
    handler(inputs: AsyncIterable<Received<I>>, context: Context): R | Promise<R>;
  },
): ClientStreamEndpoint<Sent<I>, Answer<O, R>>;
export function endpoint<
  I extends Schema | undefined = undefined,
  O extends Schema | undefined = undefined,
  R extends Returned<O> = Returned<O>,
>(
  definition: Definition<I, O> & { handler(input: Received<I>, context: Context): AsyncGenerator<R, void, undefined> },
): StreamEndpoint<Sent<I>, Answer<O, R>>;
export function endpoint<
  I extends Schema | undefined = undefined,
  O extends Schema | undefined = undefined,
  R extends Returned<O> = Returned<O>,
>(
  definition: Definition<I, O> & { handler(input: Received<I>, context: Context): R | Promise<R> },
): UnaryEndpoint<Sent<I>, Answer<O, R>>;
export function endpoint(definition: { readonly inputs?: "stream"; readonly handler: unknown }): never {
  const { inputs, handler, ...rest } = definition;
  const generates = handler instanceof AsyncGeneratorFunction;
  const kind = inputs === "stream" ? (generates ? "bidi" : "client") : generates ? "server" : "unary";
  return { ...rest, kind, handler } as never;
}

const AsyncGeneratorFunction = Object.getPrototypeOf(async function* () {}).constructor as new () => unknown;
