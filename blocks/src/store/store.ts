import { defaultNamespace, MicroError } from "@microts/core";
import { type Change, changesOf, type RecordOptions, recordOf } from "./changes.ts";
import type { StoreDriver, StoredRecord, StoreMatch, StoreQuery, StoreTable, StoreWatch } from "./driver.ts";
import { jsonOf } from "./json.ts";
import { checkAffix, checkKey, checkName } from "./names.ts";

export interface TableOptions {
  /** Default: the store's own, which is `micro` unless it was made for another. */
  readonly database?: string | undefined;
  /** Default: the store's own, which is `micro` unless it was made for another. */
  readonly table?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface WriteOptions extends TableOptions, RecordOptions {
  /** Writes only if this is the revision of the record that is there, 0 for none; else throws 409. Default: whatever is there. */
  readonly ifRevision?: number | undefined;
}

export interface DeleteOptions extends TableOptions {
  /** Deletes only if this is the revision of the record that is there; else throws 409. Default: whatever is there. */
  readonly ifRevision?: number | undefined;
}

export interface MatchOptions extends TableOptions {
  /** Keys that begin with this. Default: all. */
  readonly prefix?: string | undefined;
  /** Keys that also end with this. Default: all. */
  readonly suffix?: string | undefined;
}

export interface ListOptions extends MatchOptions {
  /** At most so many. Default 0: all. */
  readonly limit?: number | undefined;
  /** Leaves out the first so many matches. Default 0. */
  readonly offset?: number | undefined;
  /** By the bytes of the keys. Default `asc`. */
  readonly order?: "asc" | "desc" | undefined;
}

export interface WatchOptions extends TableOptions {
  /** Keys that begin with this. Default: all. */
  readonly prefix?: string | undefined;
  /** The changes after this revision, which a record, an event or a watch told. Default: those from now on. */
  readonly after?: number | undefined;
}

const never = new AbortController().signal;

/** Records under keys, in tables of databases. What was written is there for every later read, and survives a crash on a durable driver. */
export class Store {
  readonly #driver: StoreDriver;
  readonly #own: StoreTable;

  constructor(
    driver: StoreDriver,
    { database = defaultNamespace, table = defaultNamespace }: Partial<StoreTable> = {},
  ) {
    this.#driver = driver;
    this.#own = checkTable({ database, table }, "store.Store");
  }

  /** The same store with another table as default. */
  in(table: Partial<StoreTable>): Store {
    return new Store(this.#driver, { ...this.#own, ...table });
  }

  /** The record, or undefined when there is none or it has expired. */
  async read(key: string, options: TableOptions = {}): Promise<StoredRecord | undefined> {
    const id = "store.Store.Read";
    const table = this.#table(options, id);
    return wrap(id, this.#driver.read(table, checkKey(key, id), options.signal ?? never));
  }

  /** The value as JSON, or undefined when there is no record. Throws 500 when it isn't JSON. */
  async readJson(key: string, options: TableOptions = {}): Promise<unknown> {
    const record = await this.read(key, options);
    if (record === undefined) return undefined;
    try {
      return JSON.parse(new TextDecoder().decode(record.value));
    } catch (error) {
      throw new MicroError(500, "store.Store.Read", `the value of "${key}" is not JSON`, { cause: error });
    }
  }

  /** Creates or replaces. Text is stored as UTF-8. Resolves with the record's revision. */
  async write(key: string, value: Uint8Array | string, options: WriteOptions = {}): Promise<number> {
    const id = "store.Store.Write";
    const table = this.#table(options, id);
    const record = recordOf(checkKey(key, id), value, options, id);
    const { ifRevision, signal = never } = options;
    // Awaited here: a promise that is returned costs three turns of the microtask queue, not one.
    if (ifRevision === undefined) return await wrap(id, this.#driver.write(table, record, signal));
    return this.#commit(table, [{ write: key, value, ...options }], signal, id);
  }

  /** Creates or replaces with the value as JSON. Resolves with the record's revision. */
  async writeJson(key: string, value: unknown, options: WriteOptions = {}): Promise<number> {
    return this.write(key, jsonOf(key, value), options);
  }

  /** Deleting a key that is not there is not an error. */
  async delete(key: string, options: DeleteOptions = {}): Promise<void> {
    const id = "store.Store.Delete";
    const table = this.#table(options, id);
    const { ifRevision, signal = never } = options;
    if (ifRevision !== undefined) await this.#commit(table, [{ delete: key, ifRevision }], signal, id);
    else await wrap(id, this.#driver.delete(table, checkKey(key, id), signal));
  }

  /**
   * Makes changes of different keys of a table all at once, or none: 409 when a record doesn't have the revision that its change asks for. At most
   * 1,000 changes and 24 MiB. Resolves with the revision of the last one that had an effect, 0 when none had.
   */
  async commit(changes: readonly Change[], options: TableOptions = {}): Promise<number> {
    const id = "store.Store.Commit";
    return this.#commit(this.#table(options, id), changes, options.signal ?? never, id);
  }

  /** Records that match. */
  async list(options: ListOptions = {}): Promise<StoredRecord[]> {
    const id = "store.Store.Read";
    return wrap(id, this.#driver.list(this.#table(options, id), queryOf(options, id), options.signal ?? never));
  }

  /** Keys of records that match. */
  async keys(options: ListOptions = {}): Promise<string[]> {
    const id = "store.Store.List";
    return wrap(id, this.#driver.keys(this.#table(options, id), queryOf(options, id), options.signal ?? never));
  }

  /** How many records match. */
  async count(options: MatchOptions = {}): Promise<number> {
    const id = "store.Store.Count";
    return wrap(id, this.#driver.count(this.#table(options, id), matchOf(options, id), options.signal ?? never));
  }

  /**
   * Changes in the order in which they were made, until the signal aborts; nothing committed after it has resolved is missed. What came before is
   * kept for a while only: 412, at once or later, says to list and to watch anew.
   */
  async watch(options: WatchOptions = {}): Promise<StoreWatch> {
    const id = "store.Store.Watch";
    const { prefix = "", after, signal = never } = options;
    if (after !== undefined && !(Number.isSafeInteger(after) && after >= 0))
      throw MicroError.badRequest(id, `${after} is no revision: expected a whole number from 0`);
    const table = this.#table(options, id);
    return wrap(id, this.#driver.watch(table, checkAffix(prefix, "the prefix", id), after, signal));
  }

  /** All records of a table by key, in parts, as they were at one moment, however many they are. Others write meanwhile. */
  async *snapshot(options: TableOptions = {}): AsyncGenerator<StoredRecord[], void, undefined> {
    const id = "store.Store.Snapshot";
    try {
      yield* this.#driver.snapshot(this.#table(options, id), options.signal ?? never);
    } catch (error) {
      throw MicroError.from(error, id);
    }
  }

  /** Names of all databases, ascending. */
  async databases(signal: AbortSignal = never): Promise<string[]> {
    return wrap("store.Store.Databases", this.#driver.databases(signal));
  }

  /** Names of a database's tables, ascending. Default: the store's own database. */
  async tables(database: string = this.#own.database, signal: AbortSignal = never): Promise<string[]> {
    const id = "store.Store.Tables";
    return wrap(id, this.#driver.tables(checkName(database, "the database", id), signal));
  }

  async #commit(table: StoreTable, changes: readonly Change[], signal: AbortSignal, id: string): Promise<number> {
    const revision = await wrap(id, this.#driver.commit(table, changesOf(changes, id), signal));
    if (revision !== undefined) return revision;
    const keys = changes.filter(({ ifRevision }) => ifRevision !== undefined).map(nameOf);
    throw MicroError.conflict(id, `${keys.join(", ")} changed meanwhile: read again, then try again`);
  }

  #table({ database, table }: TableOptions, id: string): StoreTable {
    const own = this.#own;
    const isOwn = (database ?? own.database) === own.database && (table ?? own.table) === own.table;
    if (isOwn) return own;
    return checkTable({ database: database ?? own.database, table: table ?? own.table }, id);
  }
}

function checkTable({ database, table }: StoreTable, id: string): StoreTable {
  return { database: checkName(database, "the database", id), table: checkName(table, "the table", id) };
}

function nameOf(change: Change): string {
  return JSON.stringify("write" in change ? change.write : change.delete);
}

function matchOf({ prefix = "", suffix = "" }: MatchOptions, id: string): StoreMatch {
  return { prefix: checkAffix(prefix, "the prefix", id), suffix: checkAffix(suffix, "the suffix", id) };
}

function queryOf(options: ListOptions, id: string): StoreQuery {
  const { limit = 0, offset = 0, order = "asc" } = options;
  for (const [name, value] of Object.entries({ limit, offset })) {
    if (!Number.isSafeInteger(value) || value < 0)
      throw MicroError.badRequest(id, `${name} is ${value}: expected a whole number from 0`);
  }
  if (order !== "asc" && order !== "desc") throw MicroError.badRequest(id, `order is "${order}": expected asc or desc`);
  return { ...matchOf(options, id), limit, offset, order };
}

async function wrap<T>(id: string, answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw MicroError.from(error, id);
  }
}
