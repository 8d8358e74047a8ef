import type { Progress, Range } from "./events-log.ts";

/** Which positions of a topic a group is done with: all before `position`, and single ones after it. */
export class EventProgress {
  #position: number;
  readonly #done = new Set<number>();

  constructor({ position, done }: Progress) {
    this.#position = position;
    for (const [first, last] of done) for (let at = first; at <= last; at++) this.#done.add(at);
  }

  /** The first position that is not done. */
  get position(): number {
    return this.#position;
  }

  /** How many positions are done after the first that is not. */
  get ahead(): number {
    return this.#done.size;
  }

  has(at: number): boolean {
    return at < this.#position || this.#done.has(at);
  }

  add(at: number): void {
    if (this.has(at)) return;
    this.#done.add(at);
    while (this.#done.delete(this.#position)) this.#position++;
  }

  /** Nothing is left between these positions, the last excluded: what was there has expired. */
  skip(first: number, end: number): void {
    if (first === this.#position && this.#done.size === 0) this.#position = Math.max(end, this.#position);
    else for (let at = first; at < end; at++) this.add(at);
  }

  snapshot(): Progress {
    const done: Range[] = [];
    for (const at of [...this.#done].toSorted((a, b) => a - b)) {
      const last = done.at(-1);
      if (last !== undefined && last[1] === at - 1) done[done.length - 1] = [last[0], at];
      else done.push([at, at]);
    }
    return { position: this.#position, done };
  }
}
