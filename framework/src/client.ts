import { MicroError } from "@microts/core";
import type { CallOptions } from "@microts/core/rpc";
import { connection, inherited, inheritedSignal } from "./connection.ts";
import type { BidiEndpoint, ClientStreamEndpoint, StreamEndpoint, UnaryEndpoint } from "./endpoint.ts";
import { endpointName } from "./endpoint-name.ts";
import type { Endpoints, Service } from "./service.ts";

/** Timeout, signal, metadata and address of one call. */
export type ClientCallOptions = Pick<CallOptions, "signal" | "timeoutMs" | "metadata" | "address">;

type Arguments<I> = undefined extends I
  ? [input?: I, options?: ClientCallOptions]
  : [input: I, options?: ClientCallOptions];

type CallOf<E> =
  E extends UnaryEndpoint<infer I, infer O>
    ? (...args: Arguments<I>) => Promise<O>
    : E extends StreamEndpoint<infer I, infer O>
      ? (...args: Arguments<I>) => AsyncIterable<O>
      : E extends ClientStreamEndpoint<infer I, infer O>
        ? (inputs: AsyncIterable<I>, options?: ClientCallOptions) => Promise<O>
        : E extends BidiEndpoint<infer I, infer O>
          ? (inputs: AsyncIterable<I>, options?: ClientCallOptions) => AsyncIterable<O>
          : never;

export type Client<S> = S extends Service<infer E> ? { readonly [K in keyof E]: CallOf<E[K]> } : never;

/**
 * A client of another service, typed by its definition and nothing generated: `client<typeof posts>("posts").list({ limit: 10 })`. Await the
 * result for one reply, or loop over it with `for await` for many. Calls inside a handler keep the caller's deadline and cancellation.
 * Errors are MicroErrors with the other service's own code and detail.
 */
export function client<S extends Service<Endpoints>>(name: string): Client<S> {
  const calls = new Map<string, unknown>();
  return new Proxy(Object.freeze({}), {
    get(_, key) {
      // A promise-like client would be called by `await`.
      if (typeof key !== "string" || key === "then") return undefined;
      let call = calls.get(key);
      if (call === undefined) {
        call = (input: unknown, options?: ClientCallOptions) =>
          new Call(name, endpointName(name, key), input, options ?? {});
        calls.set(key, call);
      }
      return call;
    },
  }) as Client<S>;
}

/** One call, begun as unary by `await` or as a stream by `for await`; left alone, it goes out as unary at the end of the turn. */
class Call implements PromiseLike<unknown>, AsyncIterable<unknown> {
  readonly #service: string;
  readonly #endpoint: string;
  readonly #input: unknown;
  readonly #options: CallOptions;
  #reply: Promise<unknown> | undefined;
  #streaming = false;

  constructor(service: string, endpoint: string, input: unknown, options: ClientCallOptions) {
    this.#service = service;
    this.#endpoint = endpoint;
    this.#input = input;
    this.#options = { ...inherited(), ...options, signal: inheritedSignal(options.signal), format: "json" };
    queueMicrotask(() => {
      if (!this.#streaming) this.#unary().catch(() => {});
    });
  }

  // biome-ignore lint/suspicious/noThenProperty: awaiting the call is what makes it unary
  then<A, B>(
    resolve?: ((value: unknown) => A | PromiseLike<A>) | null,
    reject?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#unary().then(resolve, reject) as Promise<A | B>;
  }

  catch<B>(reject?: ((reason: unknown) => B | PromiseLike<B>) | null): Promise<unknown> {
    return this.then(null, reject);
  }

  finally(callback?: (() => void) | null): Promise<unknown> {
    return this.#unary().finally(callback);
  }

  [Symbol.asyncIterator](): AsyncIterator<unknown> {
    if (this.#reply !== undefined || this.#streaming) {
      throw MicroError.badRequest(
        this.#service,
        this.#streaming
          ? `${this.#endpoint}: its replies can be looped over once`
          : `${this.#endpoint}: begin the "for await" in the same turn as the call`,
      );
    }
    this.#streaming = true;
    const { rpc } = connection();
    const input = this.#input;
    if (!isStream(input)) return rpc.streamJson(this.#service, this.#endpoint, input, this.#options);
    const replies = rpc.bidi(this.#service, this.#endpoint, encoded(input), this.#options);
    return parsed(replies, this.#service, this.#endpoint);
  }

  #unary(): Promise<unknown> {
    if (this.#streaming) {
      const detail = `${this.#endpoint} was begun with "for await": it can't be awaited, nor begun again`;
      return Promise.reject(MicroError.badRequest(this.#service, detail));
    }
    this.#reply ??= this.#start();
    return this.#reply;
  }

  async #start(): Promise<unknown> {
    const { rpc } = connection();
    const input = this.#input;
    if (!isStream(input)) return rpc.callJson(this.#service, this.#endpoint, input, this.#options);
    const reply = await rpc.clientStream(this.#service, this.#endpoint, encoded(input), this.#options);
    return parse(reply, this.#service, this.#endpoint);
  }
}

function isStream(input: unknown): input is AsyncIterable<unknown> {
  return typeof input === "object" && input !== null && Symbol.asyncIterator in input;
}

async function* encoded(inputs: AsyncIterable<unknown>): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const input of inputs) yield Buffer.from(JSON.stringify(input ?? {}));
}

async function* parsed(replies: AsyncIterable<Uint8Array>, service: string, endpoint: string) {
  for await (const reply of replies) yield parse(reply, service, endpoint);
}

function parse(reply: Uint8Array, service: string, endpoint: string): unknown {
  try {
    return reply.length === 0 ? {} : JSON.parse(Buffer.from(reply).toString());
  } catch {
    throw MicroError.internal(service, `${endpoint} answered with something that is not JSON`);
  }
}
