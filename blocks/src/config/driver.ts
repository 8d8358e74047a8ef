export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** How far a rotation of keys is. */
export interface RotationProgress {
  /** Namespaces that are done. */
  readonly done: number;
  /** Namespaces that have secrets. */
  readonly total: number;
  /** Secrets encrypted anew. */
  readonly secrets: number;
  /** Namespaces left as they were, because a key that their secrets need isn't there. */
  readonly sealed: readonly string[];
}

/** What a backend must do to hold one JSON document for each namespace. `Config` has already validated every argument. */
export interface ConfigDriver extends AsyncDisposable {
  readonly name: string;

  /**
   * The value at a path (empty: the whole document), or undefined when nothing is there. Secret leaves read as `[secret]` unless `reveal`.
   */
  get(namespace: string, path: readonly string[], reveal: boolean, signal: AbortSignal): Promise<Json | undefined>;

  /**
   * Sets the value at a path (not empty), making parents as needed. An object is merged into an object that is there, leaf by leaf; anything
   * else replaces. With `secret`, every leaf set is encrypted at rest. Concurrent sets never lose each other.
   */
  set(namespace: string, path: readonly string[], value: Json, secret: boolean, signal: AbortSignal): Promise<void>;

  /** Removes the value at a path (empty: the whole document); parents stay. What is not there is not an error. */
  delete(namespace: string, path: readonly string[], signal: AbortSignal): Promise<void>;

  /**
   * The value at a path as `get` gives it: first as it is now, then again whenever that has changed. The watch is live once the promise resolves. A
   * reader who is slow may miss values, never the latest. Ends without an error when the signal aborts.
   */
  watch(
    namespace: string,
    path: readonly string[],
    reveal: boolean,
    signal: AbortSignal,
  ): Promise<AsyncIterable<Json | undefined>>;

  /**
   * Encrypts every secret of every namespace anew, under new keys, while config stays in use: no read or write fails for it. Says how far it is, and at the end
   * that all is done; goes on when nobody listens, and after a crash with the next start. Throws 412 while secrets are sealed, 409 while another rotation
   * runs.
   */
  rotate(signal: AbortSignal): Promise<AsyncIterable<RotationProgress>>;

  /**
   * Why secrets of the namespace are sealed (they can be neither set nor read: both throw 412) and what mends it; undefined when they aren't. They are when the
   * key that they need isn't there, or when none is there at all. What isn't secret works as ever.
   */
  sealed(namespace: string, signal: AbortSignal): Promise<string | undefined>;
}
