/** How far a group has come, as it is stored: runs of what isn't done and what is, in turns, from `position` on. */
export interface StoredProgress {
  readonly position: number;
  readonly runs: readonly number[];
}

interface Range {
  first: number;
  /** Exclusive. */
  end: number;
}

/** Which offsets of a topic a group is done with: all before `position`, and stretches after it. */
export class EventProgress {
  #position: number;
  /** In order, apart from each other, and after the position. */
  readonly #done: Range[] = [];

  constructor({ position, runs }: StoredProgress) {
    this.#position = position;
    let at = position;
    for (let i = 0; i + 1 < runs.length; i += 2) {
      const first = at + (runs[i] ?? 0);
      at = first + (runs[i + 1] ?? 0);
      this.#done.push({ first, end: at });
    }
  }

  /** The first offset that is not done. */
  get position(): number {
    return this.#position;
  }

  /** How many stretches after the position are done. */
  get stretches(): number {
    return this.#done.length;
  }

  /** How many offsets before `end` are not done. */
  left(end: number): number {
    const done = this.#done.reduce((sum, range) => sum + Math.max(0, Math.min(range.end, end) - range.first), 0);
    return Math.max(0, end - this.#position - done);
  }

  has(at: number): boolean {
    if (at < this.#position) return true;
    const range = this.#done[this.#after(at) - 1];
    return range !== undefined && at < range.end;
  }

  add(at: number): void {
    this.addAll(at, at + 1);
  }

  /** All from `first` to before `end`. */
  addAll(first: number, end: number): void {
    if (end <= Math.max(first, this.#position)) return;
    let start = Math.max(first, this.#position);
    let stop = end;
    let from = this.#after(start);
    const before = this.#done[from - 1];
    if (before !== undefined && before.end >= start) from--;
    let to = from;
    for (let range = this.#done[to]; range !== undefined && range.first <= stop; range = this.#done[++to]) {
      start = Math.min(start, range.first);
      stop = Math.max(stop, range.end);
    }
    if (start > this.#position) this.#done.splice(from, to - from, { first: start, end: stop });
    else {
      this.#done.splice(0, to);
      this.#position = stop;
    }
  }

  stored(): StoredProgress {
    const runs: number[] = [];
    let at = this.#position;
    for (const { first, end } of this.#done) {
      runs.push(first - at, end - first);
      at = end;
    }
    return { position: this.#position, runs };
  }

  /** The place of the first stretch that begins after `at`. */
  #after(at: number): number {
    let low = 0;
    let high = this.#done.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#done[middle]?.first ?? 0) <= at) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
