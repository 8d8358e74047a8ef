import { Pull } from "@microts/core/rpc";

/** What several queues may hold together. */
export interface QueueBudget<T> {
  /** The item begins to wait; it is the first that waits in its queue. */
  hold(item: T, isFirst: boolean): void;
  /** It doesn't wait any more; nothing else waits in its queue. */
  release(item: T, isLast: boolean): void;
  /** How many bytes a queue may hold now. */
  readonly maxBytes: number;
}

export interface MessageQueueOptions<T> {
  /** At most so many items wait. */
  readonly maxItems: number;
  /** At most so many bytes wait, as `bytesOf` says. Default: no limit. */
  readonly maxBytes?: number | undefined;
  bytesOf?(item: T): number;
  /** Shared with other queues. Default: this one is on its own. */
  readonly budget?: QueueBudget<T> | undefined;
  /** What happens at the limit: the oldest items go, or the reader gets this error and nothing more. */
  readonly overflow: "drop-oldest" | { error(): Error };
  /** Called for each item dropped, with how many that makes. */
  onDrop?(dropped: number): void;
  /** Ends the queue. */
  readonly signal: AbortSignal;
  /** Called once when the queue has ended, from whichever side, with what nobody has read. */
  onEnd(left: readonly T[]): void;
}

/**
 * Hands items from a writer that never waits to one reader, holding a bounded number in between. Ends when the signal aborts or the reader
 * leaves its loop.
 */
export class MessageQueue<T> extends Pull<T> {
  readonly #options: MessageQueueOptions<T>;
  #items: T[] = [];
  #head = 0;
  #bytes = 0;
  #dropped = 0;
  #ended = false;
  #failure: Error | undefined;
  #reader: PromiseWithResolvers<T | undefined> | undefined;
  readonly #onAbort = () => this.#end();

  constructor(options: MessageQueueOptions<T>) {
    super(
      () => this.#next(),
      () => this.#end(),
    );
    this.#options = options;
    if (options.signal.aborted) this.#end();
    else options.signal.addEventListener("abort", this.#onAbort, { once: true });
  }

  /** Items waiting for the reader. */
  get length(): number {
    return this.#items.length - this.#head;
  }

  /** Adds an item; after the end it goes nowhere. */
  push(item: T): void {
    if (this.#ended || this.#failure !== undefined) return;
    const reader = this.#reader;
    if (reader !== undefined) {
      this.#reader = undefined;
      reader.resolve(item);
      return;
    }
    this.#options.budget?.hold(item, this.length === 0);
    this.#items.push(item);
    this.#bytes += this.#sizeOf(item);
    while (this.#overflows()) {
      if (this.#options.overflow !== "drop-oldest") {
        this.#fail(this.#options.overflow.error());
        return;
      }
      this.#take();
      this.#options.onDrop?.(++this.#dropped);
    }
  }

  #next(): T | undefined | Promise<T | undefined> {
    if (this.length > 0) return this.#take();
    if (this.#failure !== undefined) {
      const failure = this.#failure;
      this.#end();
      return Promise.reject(failure);
    }
    if (this.#ended) return undefined;
    this.#reader = Promise.withResolvers();
    return this.#reader.promise;
  }

  #overflows(): boolean {
    const { maxItems, maxBytes = Number.POSITIVE_INFINITY, budget } = this.#options;
    if (this.length > maxItems) return true;
    return this.length > 1 && (this.#bytes > maxBytes || this.#bytes > (budget?.maxBytes ?? this.#bytes));
  }

  #take(): T {
    const item = this.#items[this.#head] as T;
    this.#items[this.#head++] = undefined as T;
    this.#bytes -= this.#sizeOf(item);
    this.#options.budget?.release(item, this.length === 0);
    if (this.#head > 1_024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  #sizeOf(item: T): number {
    return this.#options.bytesOf?.(item) ?? 0;
  }

  /** The reader gets none of what waits: it has to start over anyhow. */
  #fail(failure: Error): void {
    this.#failure = failure;
    this.#options.onEnd(this.#empty());
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#options.signal.removeEventListener("abort", this.#onAbort);
    this.#reader?.resolve(undefined);
    this.#reader = undefined;
    if (this.#failure === undefined) this.#options.onEnd(this.#empty());
    this.#failure = undefined;
  }

  #empty(): readonly T[] {
    const left = this.#items.slice(this.#head);
    for (const [at, item] of left.entries()) this.#options.budget?.release(item, at === left.length - 1);
    this.#items = [];
    this.#head = 0;
    this.#bytes = 0;
    return left;
  }
}
