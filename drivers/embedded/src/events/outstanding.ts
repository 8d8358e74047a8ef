import type { ConsumeOptions, StreamEvent } from "@microts/blocks/events";

/** A consumer as its group sees it. */
export interface GroupMember {
  readonly options: ConsumeOptions;
  /** How many events it has and has not answered. The group counts. */
  held: number;
  /** Receives the event it asked for by `pull`. */
  take(given: Given): void;
  /** Ends it: the group is closing, or is gone, which its reader is told. */
  end(reason?: Error): void;
}

/** An event that was given out and is not done. */
export interface Given {
  readonly event: StreamEvent;
  readonly attempt: number;
  /** What it was given out from: after its group has moved elsewhere, answers do nothing. */
  readonly owner: Outstanding;
  /** Who has it; undefined while it waits to be given out again. */
  consumer: GroupMember | undefined;
  /** Its consumer has given it back: what it says later counts no more. */
  isReturned: boolean;
  /** Ends the wait for an answer, or for the next try. */
  timer: NodeJS.Timeout | undefined;
}

/** The events of a group that were given out and are not done, and those of them that wait to be given out again. */
export class Outstanding {
  readonly #given = new Map<number, Given>();
  /** By offset. */
  readonly #again: Given[] = [];
  #bytes = 0;

  get size(): number {
    return this.#given.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Of those that are not done, how many are with consumers or pause before the next try. */
  get out(): number {
    return this.#given.size - this.#again.length;
  }

  has(offset: number): boolean {
    return this.#given.has(offset);
  }

  /** Whether this delivery is the latest one of its event, and its consumer's. */
  isCurrent(given: Given): boolean {
    return given.consumer !== undefined && this.#given.get(given.event.offset) === given;
  }

  give(event: StreamEvent, attempt: number, consumer: GroupMember): Given {
    const given: Given = { event, attempt, owner: this, consumer, isReturned: false, timer: undefined };
    if (!this.#given.has(event.offset)) this.#bytes += event.payload.length;
    this.#given.set(event.offset, given);
    consumer.held++;
    return given;
  }

  /** The first in the topic of those that wait to be given out again. */
  again(): Given | undefined {
    return this.#again.shift();
  }

  /** Takes it from its consumer, to wait for something else than an answer. */
  withdraw(given: Given): void {
    clearTimeout(given.timer);
    given.timer = undefined;
    if (given.consumer !== undefined) given.consumer.held--;
    given.consumer = undefined;
  }

  /** Takes it from its consumer, to be given out again; false when it is done or somebody else's meanwhile. */
  requeue(given: Given): boolean {
    const at = this.#place(given.event.offset);
    if (this.#given.get(given.event.offset) !== given || this.#again[at] === given) return false;
    this.withdraw(given);
    this.#again.splice(at, 0, given);
    return true;
  }

  /** What a consumer has. */
  heldBy(consumer: GroupMember): Given[] {
    return [...this.#given.values()].filter((given) => given.consumer === consumer);
  }

  /** Takes an event off, whoever has it; false when it was done already. */
  settle(offset: number): boolean {
    const given = this.#given.get(offset);
    if (given === undefined) return false;
    this.withdraw(given);
    const at = this.#place(offset);
    if (this.#again[at] === given) this.#again.splice(at, 1);
    this.#given.delete(offset);
    this.#bytes -= given.event.payload.length;
    return true;
  }

  clear(): void {
    for (const offset of this.#given.keys()) this.settle(offset);
  }

  /** Where in `#again` an offset is or would be. */
  #place(offset: number): number {
    let low = 0;
    let high = this.#again.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#again[middle]?.event.offset ?? 0) < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
