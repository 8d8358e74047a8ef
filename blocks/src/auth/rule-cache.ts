import type { Rule } from "./driver.ts";

interface Entry {
  readonly rules: Promise<readonly Rule[]>;
  readonly freshUntil: number;
}

const capacity = 1000;

/** The rules of namespaces in memory, at most a thousand of them and none older than `ttlMs`. */
export class RuleCache {
  readonly #entries = new Map<string, Entry>();
  readonly #load: (namespace: string) => Promise<readonly Rule[]>;
  readonly #ttlMs: number;

  constructor(load: (namespace: string) => Promise<readonly Rule[]>, ttlMs: number) {
    this.#load = load;
    this.#ttlMs = ttlMs;
  }

  /** Rejects when they can't be read; the next call tries again. */
  get(namespace: string): Promise<readonly Rule[]> {
    const known = this.#entries.get(namespace);
    if (known !== undefined && known.freshUntil > Date.now()) return known.rules;
    const entry: Entry = { rules: this.#load(namespace), freshUntil: Date.now() + this.#ttlMs };
    entry.rules.catch(() => {
      if (this.#entries.get(namespace) === entry) this.#entries.delete(namespace);
    });
    const oldest = this.#entries.keys().next();
    if (this.#entries.size >= capacity && !oldest.done) this.#entries.delete(oldest.value);
    this.#entries.delete(namespace);
    this.#entries.set(namespace, entry);
    return entry.rules;
  }

  /** To be called when a change has been made: what is read from then on includes it. */
  forget(namespace: string): void {
    this.#entries.delete(namespace);
  }
}
