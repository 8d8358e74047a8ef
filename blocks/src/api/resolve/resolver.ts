import { canonicalSegments } from "./canonical-path.ts";
import { type Target, targetOf } from "./target.ts";

/** Resolves paths, remembering at most `capacity` of those that led somewhere (oldest out first). */
export class Resolver {
  readonly #known = new Map<string, Target>();
  readonly #capacity: number;

  constructor(capacity = 4096) {
    this.#capacity = capacity;
  }

  /** The target of a path as it came, without its query. Throws 400 for a path that isn't canonical. */
  resolve(path: string): Target {
    return this.known(path) ?? targetOf(canonicalSegments(path));
  }

  /** The target of a path that was remembered. */
  known(path: string): Target | undefined {
    return this.#known.get(path);
  }

  /** Remembers a path whose target exists, so that made-up paths can't push out real ones. */
  remember(path: string, target: Target): void {
    if (this.#known.has(path)) return;
    if (this.#known.size >= this.#capacity) {
      const oldest = this.#known.keys().next();
      if (!oldest.done) this.#known.delete(oldest.value);
    }
    this.#known.set(path, target);
  }
}
