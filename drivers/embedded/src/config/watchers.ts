import { formatPath, type Json } from "@microts/blocks/config";
import { type ConfigNode, type ConfigObject, nodeAt } from "./document.ts";
import { LatestValue } from "./latest-value.ts";

/** What is watched. */
export interface Watched {
  readonly namespace: string;
  readonly path: readonly string[];
  readonly reveal: boolean;
}

/** What may be seen of a document; throws what a read would throw. */
type Look = (what: Watched, root: ConfigObject | undefined) => Promise<Json | undefined>;

interface Watcher extends Watched {
  readonly values: LatestValue<Json | undefined>;
  /** What was there when it was given something last, and what that was as JSON. */
  node: ConfigNode | undefined;
  shown: string | undefined;
}

/** Who watches which path of which namespace. One change of a namespace after the other is told. */
export class ConfigWatchers {
  readonly #watchers = new Map<string, Set<Watcher>>();
  readonly #look: Look;

  constructor(look: Look) {
    this.#look = look;
  }

  /** Watches running now. */
  get size(): number {
    return this.#watchers.values().reduce((sum, { size }) => sum + size, 0);
  }

  /** The value in the document as it is now, and whenever `changed` brings another. */
  async add(
    what: Watched,
    root: ConfigObject | undefined,
    signal: AbortSignal,
  ): Promise<AsyncIterable<Json | undefined>> {
    const { namespace, path } = what;
    const value = await this.#look(what, root);
    const watchers = this.#watchers.get(namespace) ?? new Set();
    const values = new LatestValue<Json | undefined>(signal, () => {
      watchers.delete(watcher);
      if (watchers.size === 0 && this.#watchers.get(namespace) === watchers) this.#watchers.delete(namespace);
    });
    const watcher: Watcher = { ...what, values, node: root && nodeAt(root, path), shown: JSON.stringify(value) };
    if (signal.aborted) return values;
    watchers.add(watcher);
    this.#watchers.set(namespace, watchers);
    values.put(value);
    return values;
  }

  /** The document is another now. A watcher that can't be told ends with the reason, and hurts nobody else. */
  async changed(namespace: string, root: ConfigObject | undefined): Promise<void> {
    /** Those who watch the same are given the same. */
    const looks = new Map<string, Promise<{ readonly value: Json | undefined; readonly shown: string | undefined }>>();
    for (const watcher of [...(this.#watchers.get(namespace) ?? [])]) {
      const { path, reveal } = watcher;
      const node = root && nodeAt(root, path);
      if (node === watcher.node) continue;
      try {
        const key = `${reveal} ${formatPath(path)}`;
        const looking =
          looks.get(key) ?? this.#look(watcher, root).then((value) => ({ value, shown: JSON.stringify(value) }));
        looks.set(key, looking);
        const { value, shown } = await looking;
        const isNew = shown !== watcher.shown;
        watcher.node = node;
        watcher.shown = shown;
        if (isNew) watcher.values.put(value);
      } catch (error) {
        watcher.values.fail(error);
      }
    }
  }
}
