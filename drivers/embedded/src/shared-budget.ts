import type { QueueBudget } from "./message-queue.ts";

interface Held {
  readonly bytes: number;
  /** How many queues it waits in. */
  holders: number;
}

/** What several queues may hold together; an item that waits in several of them counts once. */
export class SharedBudget implements QueueBudget<Held> {
  readonly #maxBytes: number;
  #bytes = 0;
  #queues = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  hold(item: Held, isFirst: boolean): void {
    if (isFirst) this.#queues++;
    if (item.holders++ === 0) this.#bytes += item.bytes;
  }

  release(item: Held, isLast: boolean): void {
    if (isLast) this.#queues--;
    if (--item.holders === 0) this.#bytes -= item.bytes;
  }

  /** Once too much waits, each gets an equal share of what there is. */
  get maxBytes(): number {
    return this.#bytes > this.#maxBytes ? this.#maxBytes / this.#queues : Number.POSITIVE_INFINITY;
  }
}
