interface Task {
  readonly abort: AbortController;
}

/** Runs tasks of one key one after the other, in the order they came; tasks of different keys run at the same time. */
export class KeyedQueue {
  readonly #tails = new Map<string, Promise<unknown>>();
  readonly #tasks = new Map<string, Set<Task>>();
  #closed: Error | undefined;

  /** Runs `task` when all earlier ones of the key have ended. Its signal aborts with `signal` or by `interrupt`. */
  run<T>(key: string, signal: AbortSignal, task: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    const abort = new AbortController();
    const entry = { abort };
    const tasks = this.#tasks.get(key) ?? new Set();
    this.#tasks.set(key, tasks.add(entry));
    const both = AbortSignal.any([signal, abort.signal]);
    const before = this.#tails.get(key) ?? Promise.resolve();
    const result = before.then(() => {
      both.throwIfAborted();
      return task(both);
    });
    const tail = result.then(
      () => {},
      () => {},
    );
    this.#tails.set(key, tail);
    return result.finally(() => {
      tasks.delete(entry);
      if (this.#tails.get(key) !== tail) return;
      this.#tails.delete(key);
      this.#tasks.delete(key);
    });
  }

  /** Aborts the running task of the key and those that wait, with this reason. */
  interrupt(key: string, reason: Error): void {
    for (const { abort } of this.#tasks.get(key) ?? []) abort.abort(reason);
  }

  /** Aborts everything and resolves when all tasks have ended; later ones are refused, all for this reason. */
  async close(reason: Error): Promise<void> {
    this.#closed = reason;
    const tails = [...this.#tails.values()];
    for (const key of this.#tasks.keys()) this.interrupt(key, reason);
    await Promise.all(tails);
  }
}
