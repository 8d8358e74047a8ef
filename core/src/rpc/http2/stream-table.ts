import type { Stream } from "./stream.ts";

const smallest = 16;

/** The streams of a connection as others see them. */
export interface Streams {
  readonly size: number;
  get(id: number): Stream | undefined;
  /** Those that are there now, in no order. */
  values(): Stream[];
}

/**
 * The streams of a connection by their ids, with open addressing (Knuth, TAOCP 3, §6.4, algorithms L and R). Not a Map: that one leaves a table
 * behind at every so many streams, each pointing to the next, and one that has grown old keeps all later streams alive until the next whole
 * garbage collection. A peer that chooses ids which meet in one place makes a search as long as it has streams, which limits.maxConcurrentStreams bounds.
 */
export class StreamTable implements Streams {
  size = 0;
  #slots: (Stream | undefined)[] = [];
  #mask = -1;

  get(id: number): Stream | undefined {
    if (this.size === 0) return undefined;
    for (let at = this.#home(id); ; at = (at + 1) & this.#mask) {
      const stream = this.#slots[at];
      if (stream === undefined || stream.id === id) return stream;
    }
  }

  /** Its id isn't there yet. */
  add(stream: Stream): void {
    if (2 * (this.size + 1) > this.#slots.length) this.#grow();
    this.#slots[this.#freeSlot(stream.id)] = stream;
    this.size++;
  }

  delete({ id }: Stream): void {
    if (this.size === 0) return;
    let gap = this.#home(id);
    for (let found = this.#slots[gap]; found?.id !== id; found = this.#slots[gap]) {
      if (found === undefined) return;
      gap = (gap + 1) & this.#mask;
    }
    this.size--;
    // Moves up whoever would no longer be found behind the gap.
    for (let at = (gap + 1) & this.#mask; ; at = (at + 1) & this.#mask) {
      const next = this.#slots[at];
      if (next === undefined) break;
      if (((at - this.#home(next.id)) & this.#mask) < ((at - gap) & this.#mask)) continue;
      this.#slots[gap] = next;
      gap = at;
    }
    this.#slots[gap] = undefined;
    if (this.size === 0 && this.#slots.length > 16 * smallest) this.clear();
  }

  values(): Stream[] {
    return this.#slots.filter((stream) => stream !== undefined);
  }

  clear(): void {
    this.size = 0;
    this.#slots = [];
    this.#mask = -1;
  }

  /** The ids of one side are every second number. */
  #home(id: number): number {
    return (id >>> 1) & this.#mask;
  }

  #freeSlot(id: number): number {
    let at = this.#home(id);
    while (this.#slots[at] !== undefined) at = (at + 1) & this.#mask;
    return at;
  }

  #grow(): void {
    const before = this.#slots;
    const length = Math.max(smallest, 2 * before.length);
    this.#slots = new Array<Stream | undefined>(length).fill(undefined);
    this.#mask = length - 1;
    for (const stream of before) if (stream !== undefined) this.#slots[this.#freeSlot(stream.id)] = stream;
  }
}
