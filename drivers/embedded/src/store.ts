import type {
  StoreChange,
  StoreDriver,
  StoredRecord,
  StoreEvent,
  StoreMatch,
  StoreQuery,
  StoreRecord,
  StoreTable,
  StoreWatch,
} from "@microts/blocks/store";
import { type Log, silent } from "@microts/core";
import { type Now, steadyClock } from "./clock.ts";
import { type DatabaseOptions, EmbeddedDatabase, type Job, type Row, type Statement } from "./sqlite/index.ts";
import { copyOf, StoreCache } from "./store-cache.ts";
import { defaultHistory, type HistoryLimits, StoreHistory } from "./store-history.ts";
import {
  condition,
  count,
  databasesSql,
  deleteStatements,
  putStatements,
  scan,
  storeChecks,
  sweepStatements,
  tablesSql,
} from "./store-queries.ts";
import { StoreReads } from "./store-reads.ts";
import { checksumOf, contentOf, contentOfRow, keyOfColumn, type StoredContent } from "./store-rows.ts";
import { StoreTables } from "./store-tables.ts";
import { StoreWatchers } from "./store-watch.ts";

export interface EmbeddedStoreOptions {
  /** How often expired records are deleted from disk. Default 10 s. They are invisible from the moment they expire. */
  readonly sweepMs?: number | undefined;
  /** What of the past is kept for those who watch. */
  readonly history?: HistoryLimits | undefined;
  readonly log?: Log | undefined;
  /** The machine's clock. Default `Date.now`. */
  readonly now?: Now | undefined;
}

/** So many expired records go in one transaction, so that a sweep doesn't hold up writers. */
const sweepRecords = 500;
/** Watchers with nothing to see are told how far the store has come at each such sweep: once a minute, by default. */
const sweepsPerMark = 6;
const everything = { prefix: "", suffix: "", limit: 0, offset: 0, order: "asc" } as const;

/** Opens the database of `dataDir` (in memory without one) and a store on it that closes it with itself. */
export async function openEmbeddedStore(options: DatabaseOptions & EmbeddedStoreOptions = {}): Promise<EmbeddedStore> {
  return new EmbeddedStore(await EmbeddedDatabase.open(options), { ...options, ownsDatabase: true });
}

/** Records in SQLite, durable once written; in memory when the database is. */
export class EmbeddedStore implements StoreDriver {
  readonly name = "embedded";
  /** For other drivers that keep their data in the same file. */
  readonly database: EmbeddedDatabase;
  readonly #tables: StoreTables;
  readonly #history: StoreHistory;
  readonly #watchers: StoreWatchers;
  readonly #cache = new StoreCache();
  readonly #reads: StoreReads;
  readonly #ownsDatabase: boolean;
  readonly #now: Now;
  readonly #steady: Now;
  readonly #log: Log;
  readonly #timer: NodeJS.Timeout;
  readonly #closing = new AbortController();
  #sweeping: Promise<void> | undefined;
  #sweeps = 0;

  constructor(
    database: EmbeddedDatabase,
    {
      sweepMs = 10_000,
      history = defaultHistory,
      log = silent,
      now = Date.now,
      ownsDatabase = false,
    }: EmbeddedStoreOptions & { readonly ownsDatabase?: boolean } = {},
  ) {
    this.database = database;
    this.#tables = new StoreTables(database);
    for (const check of storeChecks) database.addCheck(check);
    this.#history = new StoreHistory(database, history);
    this.#watchers = new StoreWatchers(database, this.#tables, (tableId, row) => this.#event(tableId, row));
    this.#ownsDatabase = ownsDatabase;
    this.#now = now;
    this.#steady = steadyClock(now);
    this.#reads = new StoreReads(database, this.#steady);
    this.#log = log;
    this.#timer = setInterval(() => this.#sweepInBackground(), sweepMs).unref();
  }

  async read(table: StoreTable, key: string, signal: AbortSignal): Promise<StoredRecord | undefined> {
    signal.throwIfAborted();
    const tableId = this.#tables.known(table) ?? (await this.#tables.find(table));
    if (tableId === undefined) return undefined;
    const cached = this.#cache.get(tableId, key, this.#steady());
    const content = cached === undefined ? await this.#readThrough(tableId, key, signal) : copyOf(cached.content);
    return content && this.#record(key, content);
  }

  async #readThrough(tableId: number, key: string, signal: AbortSignal): Promise<StoredContent | undefined> {
    const fill = this.#cache.begin(tableId, key);
    const content = await this.#reads.read(tableId, key, signal);
    this.#cache.fill(fill, content);
    return content;
  }

  async list(table: StoreTable, query: StoreQuery, signal: AbortSignal): Promise<StoredRecord[]> {
    signal.throwIfAborted();
    const tableId = await this.#tables.find(table);
    if (tableId === undefined) return [];
    const { sql, params } = scan("records", tableId, query, this.#steady());
    const rows = await this.database.read(sql, params, signal);
    return rows.map(([key, ...content]) => this.#recordOfRow(tableId, keyOfColumn(key), content));
  }

  async keys(table: StoreTable, query: StoreQuery, signal: AbortSignal): Promise<string[]> {
    signal.throwIfAborted();
    const tableId = await this.#tables.find(table);
    if (tableId === undefined) return [];
    const { sql, params } = scan("keys", tableId, query, this.#steady());
    return (await this.database.read(sql, params, signal)).map(([key]) => keyOfColumn(key));
  }

  async count(table: StoreTable, match: StoreMatch, signal: AbortSignal): Promise<number> {
    signal.throwIfAborted();
    const tableId = await this.#tables.find(table);
    if (tableId === undefined) return 0;
    const { sql, params } = count(tableId, match, this.#steady());
    return Number((await this.database.read(sql, params, signal))[0]?.[0]);
  }

  async write(table: StoreTable, record: StoreRecord, signal: AbortSignal): Promise<number> {
    signal.throwIfAborted();
    const tableId = this.#tables.known(table) ?? (await this.#tables.findOrMake(table));
    const rows = await this.#write(tableId, [record.key], this.#put(tableId, record), signal);
    return this.#changed(table, rows, record.value.byteLength);
  }

  async delete(table: StoreTable, key: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const tableId = await this.#tables.find(table);
    if (tableId === undefined) return;
    this.#changed(table, await this.#write(tableId, [key], deleteStatements(tableId, key), signal));
  }

  async commit(table: StoreTable, changes: readonly StoreChange[], signal: AbortSignal): Promise<number | undefined> {
    signal.throwIfAborted();
    const tableId = await this.#tables.findOrMake(table);
    const conditions = changes.flatMap(({ key, ifRevision }) =>
      ifRevision === undefined ? [] : [condition(tableId, key, ifRevision, this.#steady())],
    );
    const writes = changes.flatMap(({ key, record }) =>
      record === undefined ? deleteStatements(tableId, key) : this.#put(tableId, record),
    );
    const keys = changes.map(({ key }) => key);
    const rows = await this.#write(tableId, keys, [...conditions, ...writes], signal);
    const bytes = changes.reduce((sum, { record }) => sum + (record?.value.byteLength ?? 0), 0);
    return rows && this.#changed(table, rows.slice(conditions.length), bytes);
  }

  watch(table: StoreTable, prefix: string, after: number | undefined, signal: AbortSignal): Promise<StoreWatch> {
    return this.#watchers.watch(table, prefix, after, signal);
  }

  async *snapshot(table: StoreTable, signal: AbortSignal): AsyncGenerator<StoredRecord[], void, undefined> {
    const tableId = await this.#tables.find(table);
    if (tableId === undefined) return;
    const statement = scan("records", tableId, everything, this.#steady());
    for await (const rows of this.database.scan(statement, signal))
      yield rows.map(([key, ...content]) => this.#recordOfRow(tableId, keyOfColumn(key), content));
  }

  async databases(signal: AbortSignal): Promise<string[]> {
    const rows = await this.database.read(databasesSql, [], signal);
    return rows.map(([name]) => String(name));
  }

  async tables(database: string, signal: AbortSignal): Promise<string[]> {
    const rows = await this.database.read(tablesSql, [database], signal);
    return rows.map(([name]) => String(name));
  }

  /** Takes off the disk what has expired, and what of the past is kept no longer. Runs by itself every `sweepMs`. */
  async sweep(signal: AbortSignal): Promise<void> {
    const before = this.#sweeping?.catch(() => {}) ?? Promise.resolve();
    const sweeping = before.then(() => this.#sweep(signal));
    this.#sweeping = sweeping;
    await sweeping.finally(() => {
      if (this.#sweeping === sweeping) this.#sweeping = undefined;
    });
  }

  async #sweep(signal: AbortSignal): Promise<void> {
    const now = this.#steady();
    for (let isMore = true; isMore; ) {
      const [told = [], , removed = []] = await this.database.write(sweepStatements(now, sweepRecords), signal);
      if (told[0] !== undefined) this.#watchers.changed(Number(told[0][0]));
      isMore = removed.length === sweepRecords;
    }
    await this.#history.forget(signal);
    if (++this.#sweeps % sweepsPerMark === 0) this.#watchers.mark();
  }

  #sweepInBackground(): void {
    if (this.#sweeping !== undefined || this.#closing.signal.aborted) return;
    this.sweep(this.#closing.signal).catch((error: unknown) => {
      if (!this.#closing.signal.aborted) this.#log.warn("what has expired could not be deleted", { error });
    });
  }

  /** Changes records; the cache knows of it from now until nothing is on its way any more. */
  #write(tableId: number, keys: readonly string[], job: Job, signal: AbortSignal): Promise<Row[][] | undefined> {
    const writing = this.#cache.writing(tableId, keys);
    const rows = this.database.writeIf(job, signal);
    const written = () => this.#cache.written(writing);
    // Before whoever called goes on.
    rows.then(written, written);
    return rows;
  }

  /** Tells who has to know of changes, given the rows of their statements; the last revision. */
  #changed(table: StoreTable, rows: readonly (readonly Row[])[] = [], bytes = 0): number {
    const first = rows.find((each) => each.length > 0)?.[0];
    const last = rows.findLast((each) => each.length > 0)?.at(-1);
    if (first === undefined || last === undefined) return 0;
    this.#watchers.changed(Number(first[0]), table);
    if (this.#history.wrote(bytes)) this.#sweepInBackground();
    return Number(last[0]);
  }

  /** To be asked for at once. */
  #put(tableId: number, record: StoreRecord): Statement[] {
    const { key, expiresAt } = record;
    // What is left to live is what counts, should the steady clock have parted from the machine's.
    const expires = expiresAt === undefined ? null : this.#steady() + (expiresAt.getTime() - this.#now());
    const content = contentOf(record, expires);
    const isAlone = !this.#cache.isWriting(tableId, key);
    return putStatements(tableId, key, content, checksumOf(tableId, key, content), isAlone);
  }

  #recordOfRow(tableId: number, key: string, row: Row): StoredRecord {
    return this.#record(key, contentOfRow(tableId, key, row));
  }

  #record(key: string, { value, metadata, expiresAt, revision }: StoredContent): StoredRecord {
    return {
      key,
      value,
      metadata: metadata === null ? {} : JSON.parse(metadata),
      expiresAt: expiresAt === null ? undefined : new Date(expiresAt - this.#steady() + this.#now()),
      revision,
    };
  }

  #event(tableId: number, [key, ...content]: Row): StoreEvent {
    const name = keyOfColumn(key);
    const record = content.at(-1) === null ? undefined : this.#recordOfRow(tableId, name, content);
    return { key: name, revision: Number(content[0]), record };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.#closing.abort();
    await this.#sweeping?.catch(() => {});
    await this.#tables.settled();
    if (this.#ownsDatabase) await this.database[Symbol.asyncDispose]();
  }
}
