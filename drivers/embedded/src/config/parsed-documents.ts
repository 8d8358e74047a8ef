import type { ConfigObject } from "./document.ts";

interface Parsed {
  readonly revision: number;
  readonly bytes: number;
  readonly root: ConfigObject;
}

/** What documents are remembered for, in bytes of their JSON. */
const maxBytes = 16 * 1024 * 1024;

/** The documents used last as they are at a revision of their record, so that none is parsed for every reading. */
export class ParsedDocuments {
  readonly #known = new Map<string, Parsed>();
  #bytes = 0;

  find(namespace: string, revision: number): ConfigObject | undefined {
    const parsed = this.#known.get(namespace);
    if (parsed?.revision !== revision) return undefined;
    this.#known.delete(namespace);
    this.#known.set(namespace, parsed);
    return parsed.root;
  }

  /** Forgets those that were used longest ago, when all of them are too large. */
  remember(namespace: string, parsed: Parsed): void {
    this.forget(namespace);
    this.#known.set(namespace, parsed);
    this.#bytes += parsed.bytes;
    for (const [oldest] of this.#known) {
      if (this.#bytes <= maxBytes) return;
      this.forget(oldest);
    }
  }

  forget(namespace: string): void {
    this.#bytes -= this.#known.get(namespace)?.bytes ?? 0;
    this.#known.delete(namespace);
  }
}
