import type { Json } from "@microts/blocks/config";
import type { ConfigObject } from "./document.ts";
import type { DataKeys } from "./keyring.ts";
import { LatestValue } from "./latest-value.ts";

interface Watcher {
  readonly path: readonly string[];
  /** What the watcher may see at its path of the document; throws what a read would throw. */
  look(root: ConfigObject | undefined, keys: DataKeys): Json | undefined;
  readonly values: LatestValue<Json | undefined>;
  /** What it was given last, as JSON. */
  shown: string | undefined;
}

/** Who watches which path of which namespace. */
export class ConfigWatchers {
  readonly #watchers = new Map<string, Set<Watcher>>();

  /** Watches running now. */
  get size(): number {
    return this.#watchers.values().reduce((sum, { size }) => sum + size, 0);
  }

  has(namespace: string): boolean {
    return this.#watchers.has(namespace);
  }

  /** The value in the document as it is now, and whenever `changed` brings another. */
  add(
    namespace: string,
    path: readonly string[],
    look: Watcher["look"],
    root: ConfigObject | undefined,
    keys: DataKeys,
    signal: AbortSignal,
  ): AsyncIterable<Json | undefined> {
    const value = look(root, keys);
    const watchers = this.#watchers.get(namespace) ?? new Set();
    const values = new LatestValue<Json | undefined>(signal, () => {
      watchers.delete(watcher);
      if (watchers.size === 0 && this.#watchers.get(namespace) === watchers) this.#watchers.delete(namespace);
    });
    const watcher: Watcher = { path, look, values, shown: JSON.stringify(value) };
    if (signal.aborted) return values;
    watchers.add(watcher);
    this.#watchers.set(namespace, watchers);
    values.put(value);
    return values;
  }

  /** The document has changed at the path. A watcher that can't be told ends with the reason, and hurts nobody else. */
  changed(namespace: string, path: readonly string[], root: ConfigObject | undefined, keys: DataKeys): void {
    for (const watcher of [...(this.#watchers.get(namespace) ?? [])]) {
      if (!isRelated(watcher.path, path)) continue;
      try {
        const value = watcher.look(root, keys);
        const shown = JSON.stringify(value);
        if (shown === watcher.shown) continue;
        watcher.shown = shown;
        watcher.values.put(value);
      } catch (error) {
        watcher.values.fail(error);
      }
    }
  }
}

function isRelated(one: readonly string[], other: readonly string[]): boolean {
  const length = Math.min(one.length, other.length);
  for (let at = 0; at < length; at++) if (one[at] !== other[at]) return false;
  return true;
}
