import type { StoreEvent, StoreTable, StoreWatch } from "@microts/blocks/store";
import { MicroError } from "@microts/core";
import type { EmbeddedDatabase, Row } from "./sqlite/index.ts";
import { newsOf, revisionSql } from "./store-queries.ts";
import type { StoreTables } from "./store-tables.ts";

/** Turns a row of `newsOf` into what a watcher is told. */
export type Tell = (tableId: number, row: Row) => StoreEvent;

interface Watcher {
  /** The first revision it may not have seen; undefined when it has seen all. */
  news: number | undefined;
  wake: () => void;
}

/** Those who want to know what changes, by table. They read it from the database at their own pace. */
export class StoreWatchers {
  readonly #database: EmbeddedDatabase;
  readonly #tables: StoreTables;
  readonly #tell: Tell;
  readonly #watchers = new Map<string, Set<Watcher>>();

  constructor(database: EmbeddedDatabase, tables: StoreTables, tell: Tell) {
    this.#database = database;
    this.#tables = tables;
    this.#tell = tell;
  }

  /** Changes from this revision on were made to a table; to any table when none is named. */
  changed(revision: number, table?: StoreTable): void {
    const told = table === undefined ? [...this.#watchers.values()] : [this.#watchers.get(nameOf(table)) ?? []];
    for (const watchers of told) {
      for (const watcher of watchers) {
        watcher.news ??= revision;
        watcher.wake();
      }
    }
  }

  /** Resolves when nothing that is committed from now on will be missed. */
  async watch(table: StoreTable, prefix: string, after: number | undefined, signal: AbortSignal): Promise<StoreWatch> {
    signal.throwIfAborted();
    const watcher: Watcher = { news: undefined, wake: () => {} };
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
      const events = this.#events(table, prefix, from, watcher, signal);
      return { revision: newest, [Symbol.asyncIterator]: () => events };
    } catch (error) {
      this.#remove(table, watcher);
      throw error;
    }
  }

  async *#events(
    table: StoreTable,
    prefix: string,
    after: number,
    watcher: Watcher,
    signal: AbortSignal,
  ): AsyncGenerator<StoreEvent, void, undefined> {
    let seen = after;
    const wake = () => watcher.wake();
    signal.addEventListener("abort", wake);
    try {
      while (!signal.aborted) {
        if (watcher.news === undefined) {
          await new Promise<void>((resolve) => (watcher.wake = resolve));
          continue;
        }
        // Nothing of this table lies between what was seen and the news.
        seen = Math.max(seen, watcher.news - 1);
        watcher.news = undefined;
        for await (const event of this.#read(table, prefix, seen)) {
          if (signal.aborted) return;
          seen = event.revision;
          yield event;
        }
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
