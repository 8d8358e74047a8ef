import type { ServerCall } from "./transport.ts";

/** `read` as an iterator. Leaving the loop doesn't end the call: its handler may still answer. */
export class RequestIterator implements AsyncIterableIterator<Uint8Array> {
  readonly #call: ServerCall;

  constructor(call: ServerCall) {
    this.#call = call;
  }

  next(): Promise<IteratorResult<Uint8Array>> {
    const value = this.#call.read();
    return value instanceof Promise ? value.then(resultOf) : Promise.resolve(resultOf(value));
  }

  async return(): Promise<IteratorResult<Uint8Array>> {
    return { value: undefined, done: true };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

function resultOf(value: Uint8Array | undefined): IteratorResult<Uint8Array> {
  return value === undefined ? { value, done: true } : { value, done: false };
}
