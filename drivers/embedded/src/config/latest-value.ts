/** Hands the latest of a row of values to one reader, who may miss those between. Ends when the signal aborts or the reader leaves its loop. */
export class LatestValue<T> implements AsyncIterableIterator<T, void, undefined> {
  readonly #signal: AbortSignal;
  readonly #onEnd: () => void;
  #pending: { readonly value: T } | undefined;
  #failure: { readonly error: unknown } | undefined;
  #ended = false;
  #reader: PromiseWithResolvers<IteratorResult<T, void>> | undefined;
  readonly #onAbort = () => this.#end();

  /** `onEnd` is called once, from whichever side the end comes. */
  constructor(signal: AbortSignal, onEnd: () => void) {
    this.#signal = signal;
    this.#onEnd = onEnd;
    if (signal.aborted) this.#end();
    else signal.addEventListener("abort", this.#onAbort, { once: true });
  }

  /** Takes the place of a value that was not read yet; after the end it goes nowhere. */
  put(value: T): void {
    if (this.#ended) return;
    if (this.#reader === undefined) {
      this.#pending = { value };
      return;
    }
    this.#reader.resolve({ value, done: false });
    this.#reader = undefined;
  }

  /** The reader gets this error instead of another value, and then nothing more. */
  fail(error: unknown): void {
    if (this.#ended) return;
    if (this.#reader === undefined) this.#failure = { error };
    else this.#reader.reject(error);
    this.#reader = undefined;
    this.#end();
  }

  /** Nothing follows; what was put last is still read. */
  finish(): void {
    const pending = this.#pending;
    this.#end();
    this.#pending = pending;
  }

  next(): Promise<IteratorResult<T, void>> {
    if (this.#failure !== undefined) {
      const { error } = this.#failure;
      this.#failure = undefined;
      return Promise.reject(error);
    }
    if (this.#pending !== undefined) {
      const { value } = this.#pending;
      this.#pending = undefined;
      return Promise.resolve({ value, done: false });
    }
    if (this.#ended) return Promise.resolve({ value: undefined, done: true });
    this.#reader = Promise.withResolvers();
    return this.#reader.promise;
  }

  return(): Promise<IteratorResult<T, void>> {
    this.#end();
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end();
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#pending = undefined;
    this.#signal.removeEventListener("abort", this.#onAbort);
    this.#reader?.resolve({ value: undefined, done: true });
    this.#reader = undefined;
    this.#onEnd();
  }
}
