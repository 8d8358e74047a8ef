/** Numbers that look random and are the same for the same seed (mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** A whole number from 0, less than the limit. */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit);
  }

  pick<T>(values: readonly T[]): T {
    const picked = values[this.below(values.length)];
    if (picked === undefined) throw new Error("there is nothing to pick from");
    return picked;
  }

  /** From one up to so many different ones. */
  some<T>(values: readonly T[], most: number): T[] {
    const left = [...values];
    const count = 1 + this.below(Math.min(most, values.length));
    return Array.from({ length: count }, () => left.splice(this.below(left.length), 1)).flat();
  }
}
