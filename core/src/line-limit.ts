export interface LineLimitOptions {
  /** So many lines of one kind are written in a window. Default 10. */
  readonly first?: number | undefined;
  /** Default a minute, in milliseconds. */
  readonly windowMs?: number | undefined;
  /** So many kinds are told apart in a window; the others are one kind. Default 100. */
  readonly kinds?: number | undefined;
  /** Told at the end of a window of each kind of which lines were left out; "" for the others together. */
  onLeftOut(kind: string, count: number, windowMs: number): void;
}

/** What a caller chose may be long. */
const keptChars = 200;

/**
 * Which lines of a log are written when anybody may cause any number of them: the first of each kind in a window, and then one that counts what was
 * left out. Memory is bounded, whatever the kinds are.
 */
export class LineLimit {
  readonly #first: number;
  readonly #windowMs: number;
  readonly #kinds: number;
  readonly #onLeftOut: LineLimitOptions["onLeftOut"];
  #counts = new Map<string, number>();

  constructor({ first = 10, windowMs = 60_000, kinds = 100, onLeftOut }: LineLimitOptions) {
    this.#first = first;
    this.#windowMs = windowMs;
    this.#kinds = kinds;
    this.#onLeftOut = onLeftOut;
  }

  /** Whether one more line of that kind is to be written. */
  allows(kind: string): boolean {
    if (this.#counts.size === 0) setTimeout(() => this.#end(), this.#windowMs).unref();
    const known = kind.slice(0, keptChars);
    const counted = this.#counts.has(known) || this.#counts.size < this.#kinds ? known : "";
    const count = (this.#counts.get(counted) ?? 0) + 1;
    this.#counts.set(counted, count);
    return count <= this.#first;
  }

  #end(): void {
    const counts = this.#counts;
    this.#counts = new Map();
    for (const [kind, count] of counts)
      if (count > this.#first) this.#onLeftOut(kind, count - this.#first, this.#windowMs);
  }
}
