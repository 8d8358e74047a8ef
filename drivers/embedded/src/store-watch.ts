import type { StoreEvent, StoreMark, StoreTable, StoreWatch } from "@microts/blocks/store";
import { MicroError } from "@microts/core";
import type { EmbeddedDatabase, Row } from "./sqlite/index.ts";
import { newsOf, revisionSql } from "./store-queries.ts";
import type { StoreTables } from "./store-tables.ts";

/** Turns a row of `newsOf` into what a watcher is told. */
export type Tell = (tableId: number, row: Row) => StoreEvent;

interface Watcher {
  /** The first revision it may not have seen; undefined when it has seen all. */
  news: number | undefined;
  /** It has seen all up to this revision. */
  seen: number;
  /** What it is to be told that it has seen, once it has. */
  mark: number;
  wake: () => void;
}

/** Those who want to know what changes, by table. They read it from the database at their own pace. */
export class StoreWatchers {
  readonly #database: EmbeddedDatabase;
  readonly #tables: StoreTables;
  readonly #tell: Tell;
  readonly #watchers = new Map<string, Set<Watcher>>();
  #newest = 0;
  #newestBefore = 0;

  constructor(database: EmbeddedDatabase, tables: StoreTables, tell: Tell) {
    this.#database = database;
    this.#tables = tables;
    this.#tell = tell;
  }

  /** Changes from this revision on were made to a table; to any table when none is named. */
  changed(revision: number, table?: StoreTable): void {
    this.#newest = Math.max(this.#newest, revision);
    if (this.#watchers.size === 0) return;
    const told = table === undefined ? [...this.#watchers.values()] : [this.#watchers.get(nameOf(table)) ?? []];
    for (const watchers of told) {
      for (const watcher of watchers) {
        watcher.news ??= revision;
        watcher.wake();
      }
    }
  }

  /**
   * Tells those who have had nothing to see how far the store has come, so that they can go on from there. That is how far it was at the call before: by now
   * nobody's changes up to there can still be on their way to here.
   */
  mark(): void {
    const mark = this.#newestBefore;
    this.#newestBefore = this.#newest;
    for (const watchers of this.#watchers.values()) {
      for (const watcher of watchers) {
        if (watcher.seen >= mark) continue;
        watcher.mark = mark;
        watcher.wake();
      }
    }
  }

  /** Resolves when nothing that is committed from now on will be missed. */
  async watch(table: StoreTable, prefix: string, after: number | undefined, signal: AbortSignal): Promise<StoreWatch> {
    signal.throwIfAborted();
    const watcher: Watcher = { news: undefined, seen: 0, mark: 0, wake: () => {} };
    this.#add(table, watcher);
    // Nobody has to have asked for an event by then.
    signal.addEventListener("abort", () => this.#remove(table, watcher), { once: true });
    try {
      const [row] = await this.#database.read(revisionSql, [], signal);
      const [forgotten = 0, newest = 0] = (row ?? []).map(Number);
      const from = after ?? newest;
      if (after !== undefined && after < newest) watcher.news = after + 1;
      checkKept(from, forgotten);
      if (from > newest) throw unknown(`there is no revision ${from} yet, as after a restored backup`);
      watcher.seen = from;
      const events = this.#events(table, prefix, watcher, signal);
      return { revision: newest, [Symbol.asyncIterator]: () => events };
    } catch (error) {
      this.#remove(table, watcher);
      throw error;
    }
  }

  async *#events(
    table: StoreTable,
    prefix: string,
    watcher: Watcher,
    signal: AbortSignal,
  ): AsyncGenerator<StoreEvent | StoreMark, void, undefined> {
    const wake = () => watcher.wake();
    signal.addEventListener("abort", wake);
    try {
      while (!signal.aborted) {
        if (watcher.news !== undefined) {
          // Nothing of this table lies between what was seen and the news.
          watcher.seen = Math.max(watcher.seen, watcher.news - 1);
          watcher.news = undefined;
          for await (const event of this.#read(table, prefix, watcher.seen)) {
            if (signal.aborted) return;
            watcher.seen = event.revision;
            yield event;
          }
        } else if (watcher.mark > watcher.seen) {
          watcher.seen = watcher.mark;
          yield { key: undefined, revision: watcher.seen };
        } else await new Promise<void>((resolve) => (watcher.wake = resolve));
      }
    } finally {
      signal.removeEventListener("abort", wake);
      this.#remove(table, watcher);
    }
  }

  /** All that is there after a revision. */
  async *#read(table: StoreTable, prefix: string, after: number): AsyncGenerator<StoreEvent, void, undefined> {
    const tableId = await this.#tables.find(table);
    for (let seen = after; tableId !== undefined; ) {
      const job = [{ sql: revisionSql, params: [] }, newsOf(tableId, prefix, seen)];
      const [state, rows = []] = await this.#database.readAll(job, never);
      checkKept(seen, Number(state?.[0]?.[0]));
      if (rows.length === 0) return;
      for (const row of rows) {
        const event = this.#tell(tableId, row);
        seen = event.revision;
        yield event;
      }
    }
  }

  #add(table: StoreTable, watcher: Watcher): void {
    const name = nameOf(table);
    const watchers = this.#watchers.get(name) ?? new Set();
    this.#watchers.set(name, watchers.add(watcher));
  }

  #remove(table: StoreTable, watcher: Watcher): void {
    const name = nameOf(table);
    const watchers = this.#watchers.get(name);
    watchers?.delete(watcher);
    if (watchers?.size === 0) this.#watchers.delete(name);
  }
}

const never = new AbortController().signal;

function checkKept(after: number, forgotten: number): void {
  if (after >= forgotten) return;
  throw unknown(`what changed after revision ${after} is no longer known as a whole`);
}

function unknown(what: string): MicroError {
  return new MicroError(412, "store.Store.Watch", `${what}: list what there is, then watch anew`);
}

function nameOf({ database, table }: StoreTable): string {
  return `${database.length}/${database}${table}`;
}
