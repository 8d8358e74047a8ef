import { type FSWatcher, watch } from "node:fs";

/** Editors write a file in several steps; a change counts when it has been quiet for so long. */
const quietMs = 30;

/** Says when something in a set of folders changes. Each folder is watched by itself: those that are ignored, such as node_modules, cost nothing. */
export class Changes implements Disposable {
  readonly #watchers = new Map<string, FSWatcher>();
  #timer: NodeJS.Timeout | undefined;
  #isPending = false;
  #wake: (() => void) | undefined;

  /** Watches these folders and no others. */
  watch(folders: readonly string[]): void {
    const wanted = new Set(folders);
    for (const [folder, watcher] of this.#watchers) {
      if (wanted.has(folder)) continue;
      watcher.close();
      this.#watchers.delete(folder);
    }
    for (const folder of wanted) {
      if (!this.#watchers.has(folder)) this.#add(folder);
    }
  }

  /** Resolves at the next change, at once when there was one since the last call; with false when the signal aborts. */
  next(signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const finish = (changed: boolean) => {
        signal.removeEventListener("abort", stop);
        this.#wake = undefined;
        if (changed) this.#isPending = false;
        resolve(changed);
      };
      const stop = () => finish(false);
      if (signal.aborted) return finish(false);
      if (this.#isPending) return finish(true);
      signal.addEventListener("abort", stop, { once: true });
      this.#wake = () => finish(true);
    });
  }

  #add(folder: string): void {
    try {
      const watcher = watch(folder, () => this.#touch());
      // A folder that is deleted ends its watcher; the one above it tells of that.
      watcher.on("error", () => {
        watcher.close();
        this.#watchers.delete(folder);
      });
      this.#watchers.set(folder, watcher);
    } catch {
      // Gone already.
    }
  }

  #touch(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#isPending = true;
      this.#wake?.();
    }, quietMs);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }
}
