type Pulled<T> = T | undefined | Promise<T | undefined>;

/**
 * An async generator over a function that gives the next value: at once when it is there, undefined at the end. Generators around generators
 * cost several promises for each message at each level; this costs one, and none through `read`.
 */
export class Pull<T> implements AsyncGenerator<T, void, undefined> {
  readonly #pull: () => Pulled<T>;
  readonly #close: () => unknown;
  #pending: Promise<T | undefined> | undefined;
  #isDone = false;

  /** `close` is called once: at the end, at a failure, or when the reader leaves early. */
  constructor(pull: () => Pulled<T>, close: () => unknown) {
    this.#pull = pull;
    this.#close = close;
  }

  /** The next value without an iterator's wrapping; undefined at the end. */
  read(): Pulled<T> {
    if (this.#pending !== undefined) {
      const read = () => this.read();
      return this.#pending.then(read, read);
    }
    if (this.#isDone) return undefined;
    try {
      const value = this.#pull();
      if (value instanceof Promise) return this.#await(value);
      if (value === undefined) this.#finish();
      return value;
    } catch (error) {
      this.#finish();
      return Promise.reject(error);
    }
  }

  #await(value: Promise<T | undefined>): Promise<T | undefined> {
    const pending = value.then(
      (settled) => {
        this.#pending = undefined;
        if (settled === undefined) this.#finish();
        return this.#isDone ? undefined : settled;
      },
      (error: unknown) => {
        this.#pending = undefined;
        this.#finish();
        throw error;
      },
    );
    this.#pending = pending;
    return pending;
  }

  #finish(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#close();
  }

  next(): Promise<IteratorResult<T, void>> {
    const value = this.read();
    return value instanceof Promise ? value.then(resultOf) : Promise.resolve(resultOf(value));
  }

  async return(): Promise<IteratorResult<T, void>> {
    this.#finish();
    return finished;
  }

  async throw(error: unknown): Promise<IteratorResult<T, void>> {
    this.#finish();
    throw error;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#finish();
  }
}

const finished: IteratorReturnResult<void> = { done: true, value: undefined };

function resultOf<T>(value: T | undefined): IteratorResult<T, void> {
  return value === undefined ? finished : { done: false, value };
}

/** The values, each through `map`. Leaving early leaves `values` early. An error that comes once `until` has aborted is the end and no error. */
export function mapped<I, O>(values: AsyncIterable<I>, map: (value: I) => O, until?: AbortSignal): Pull<O> {
  const end = (error: unknown) => {
    if (until?.aborted) return undefined;
    throw error;
  };
  if (values instanceof Pull) {
    const source: Pull<I> = values;
    const take = (value: I | undefined) => (value === undefined ? undefined : map(value));
    return new Pull(
      () => {
        const value = source.read();
        return value instanceof Promise ? value.then(take, until && end) : take(value);
      },
      () => source.return(),
    );
  }
  const iterator = values[Symbol.asyncIterator]();
  return new Pull(
    () => iterator.next().then((result) => (result.done ? undefined : map(result.value)), until && end),
    () => iterator.return?.(),
  );
}

/** A value that is here or will be, through `map`; undefined stays. */
export function mapOne<I, O>(value: Pulled<I>, map: (value: I) => O): Pulled<O> {
  if (value instanceof Promise) return value.then((settled) => (settled === undefined ? undefined : map(settled)));
  return value === undefined ? undefined : map(value);
}
