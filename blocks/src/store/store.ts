import { defaultNamespace, MicroError } from "@microts/core";
import type { StoreDriver, StoreQuery, StoreRecord, StoreTable } from "./driver.ts";
import { checkAffix, checkKey, checkName } from "./names.ts";

/** Largest value: 16 MiB. Larger things are blobs. */
export const maxValueBytes = 16 * 1024 * 1024;
/** Largest metadata of a record, names and values together: 64 KiB. */
export const maxMetadataBytes = 64 * 1024;

export interface TableOptions {
  /** Default: the store's own, which is `micro` unless it was made for another. */
  readonly database?: string | undefined;
  /** Default: the store's own, which is `micro` unless it was made for another. */
  readonly table?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface WriteOptions extends TableOptions {
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  /** The record is gone after so many milliseconds, at least 1. */
  readonly ttlMs?: number | undefined;
  /** The record is gone from then on; a time that has passed deletes it. `ttlMs` wins. */
  readonly expiresAt?: Date | undefined;
}

export interface ListOptions extends TableOptions {
  /** Keys that begin with this. Default: all. */
  readonly prefix?: string | undefined;
  /** Keys that also end with this. Default: all. */
  readonly suffix?: string | undefined;
  /** At most so many. Default 0: all. */
  readonly limit?: number | undefined;
  /** Leaves out the first so many matches. Default 0. */
  readonly offset?: number | undefined;
  /** By the bytes of the keys. Default `asc`. */
  readonly order?: "asc" | "desc" | undefined;
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
  async read(key: string, options: TableOptions = {}): Promise<StoreRecord | undefined> {
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

  /** Creates or replaces. Text is stored as UTF-8. */
  async write(key: string, value: Uint8Array | string, options: WriteOptions = {}): Promise<void> {
    const id = "store.Store.Write";
    const table = this.#table(options, id);
    const record = recordOf(checkKey(key, id), value, options, id);
    await wrap(id, this.#driver.write(table, record, options.signal ?? never));
  }

  /** Creates or replaces with the value as JSON. */
  async writeJson(key: string, value: unknown, options: WriteOptions = {}): Promise<void> {
    const json = JSON.stringify(value);
    if (json === undefined)
      throw MicroError.badRequest("store.Store.Write", `the value of "${key}" can't be written as JSON`);
    await this.write(key, json, options);
  }

  /** Deleting a key that is not there is not an error. */
  async delete(key: string, options: TableOptions = {}): Promise<void> {
    const id = "store.Store.Delete";
    const table = this.#table(options, id);
    await wrap(id, this.#driver.delete(table, checkKey(key, id), options.signal ?? never));
  }

  /** Records that match. */
  async list(options: ListOptions = {}): Promise<StoreRecord[]> {
    const id = "store.Store.Read";
    return wrap(id, this.#driver.list(this.#table(options, id), queryOf(options, id), options.signal ?? never));
  }

  /** Keys of records that match. */
  async keys(options: ListOptions = {}): Promise<string[]> {
    const id = "store.Store.List";
    return wrap(id, this.#driver.keys(this.#table(options, id), queryOf(options, id), options.signal ?? never));
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

  #table(options: TableOptions, id: string): StoreTable {
    return checkTable(
      { database: options.database ?? this.#own.database, table: options.table ?? this.#own.table },
      id,
    );
  }
}

function checkTable({ database, table }: StoreTable, id: string): StoreTable {
  return { database: checkName(database, "the database", id), table: checkName(table, "the table", id) };
}

function recordOf(
  key: string,
  value: Uint8Array | string,
  { metadata = {}, ttlMs, expiresAt }: WriteOptions,
  id: string,
): StoreRecord {
  const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value;
  if (bytes.byteLength > maxValueBytes) {
    throw MicroError.tooLarge(
      id,
      `the value of "${key}" has ${bytes.byteLength} bytes; the limit is ${maxValueBytes}. Write a blob instead`,
    );
  }
  checkMetadata(key, metadata, id);
  if (ttlMs !== undefined && !(ttlMs >= 1 && Number.isFinite(ttlMs))) {
    throw MicroError.badRequest(id, `a record can't live ${ttlMs} ms: expected at least 1`);
  }
  const expires = ttlMs === undefined ? expiresAt : new Date(Date.now() + ttlMs);
  if (Number.isNaN(expires?.getTime())) throw MicroError.badRequest(id, "the expiry is not a time a date can hold");
  return { key, value: bytes, metadata, expiresAt: expires };
}

function checkMetadata(key: string, metadata: Readonly<Record<string, string>>, id: string): void {
  let size = 0;
  for (const [name, value] of Object.entries(metadata)) {
    if (!name.isWellFormed() || !value.isWellFormed())
      throw MicroError.badRequest(id, `the metadata of "${key}" is not valid Unicode`);
    size += Buffer.byteLength(name) + Buffer.byteLength(value);
  }
  if (size > maxMetadataBytes)
    throw MicroError.tooLarge(id, `the metadata of "${key}" has ${size} bytes; the limit is ${maxMetadataBytes}`);
}

function queryOf(
  { prefix = "", suffix = "", limit = 0, offset = 0, order = "asc" }: ListOptions,
  id: string,
): StoreQuery {
  for (const [name, value] of Object.entries({ limit, offset })) {
    if (!Number.isSafeInteger(value) || value < 0)
      throw MicroError.badRequest(id, `${name} is ${value}: expected a whole number from 0`);
  }
  if (order !== "asc" && order !== "desc") throw MicroError.badRequest(id, `order is "${order}": expected asc or desc`);
  return {
    prefix: checkAffix(prefix, "the prefix", id),
    suffix: checkAffix(suffix, "the suffix", id),
    limit,
    offset,
    order,
  };
}

async function wrap<T>(id: string, answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw MicroError.from(error, id);
  }
}
