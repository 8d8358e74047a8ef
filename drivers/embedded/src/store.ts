import type { StoreDriver, StoreQuery, StoreRecord, StoreTable } from "@microts/blocks/store";
import { type Log, silent } from "@microts/core";
import { type Now, steadyClock } from "./clock.ts";
import { type DatabaseOptions, EmbeddedDatabase, type Row, type SqlValue } from "./sqlite/index.ts";

export interface EmbeddedStoreOptions {
  /** How often expired records are deleted from disk. Default 10 s. They are invisible from the moment they expire. */
  readonly sweepMs?: number | undefined;
  readonly log?: Log | undefined;
  /** The machine's clock. Default `Date.now`. */
  readonly now?: Now | undefined;
}

/** So many expired records go in one transaction, so that a sweep doesn't hold up writers. */
const sweepRecords = 1_000;

/** Names and keys are text on this side and blobs in the file, ordered by their bytes. */
const blob = "CAST(? AS BLOB)";
const tableId = `(SELECT id FROM tables WHERE database = ${blob} AND name = ${blob})`;
const live = "(expires_at IS NULL OR expires_at > ?)";
const keyColumn = "CAST(key AS TEXT)";
const recordColumns = `${keyColumn}, value, metadata, expires_at`;
const readSql = `SELECT ${recordColumns} FROM records WHERE table_id = ${tableId} AND key = ${blob} AND ${live}`;
const tableSql = `INSERT OR IGNORE INTO tables (database, name) VALUES (${blob}, ${blob})`;
const writeSql = `INSERT INTO records (table_id, key, value, metadata, expires_at) VALUES (${tableId}, ${blob}, ?, ?, ?)
  ON CONFLICT (table_id, key) DO UPDATE SET value = excluded.value, metadata = excluded.metadata, expires_at = excluded.expires_at`;
const deleteSql = `DELETE FROM records WHERE table_id = ${tableId} AND key = ${blob}`;
const sweepSql = `DELETE FROM records WHERE id IN (SELECT id FROM records WHERE expires_at <= ? LIMIT ${sweepRecords}) RETURNING 1`;
const databasesSql = "SELECT DISTINCT CAST(database AS TEXT) FROM tables ORDER BY database";
const tablesSql = `SELECT CAST(name AS TEXT) FROM tables WHERE database = ${blob} ORDER BY name`;

/** Opens the database of `dataDir` (in memory without one) and a store on it that closes it with itself. */
export async function openEmbeddedStore(options: DatabaseOptions & EmbeddedStoreOptions = {}): Promise<EmbeddedStore> {
  return new EmbeddedStore(await EmbeddedDatabase.open(options), { ...options, ownsDatabase: true });
}

/** Records in SQLite, durable once written; in memory when the database is. */
export class EmbeddedStore implements StoreDriver {
  readonly name = "embedded";
  /** For other drivers that keep their data in the same file. */
  readonly database: EmbeddedDatabase;
  readonly #ownsDatabase: boolean;
  readonly #now: Now;
  readonly #steady: Now;
  readonly #log: Log;
  readonly #timer: NodeJS.Timeout;
  readonly #closing = new AbortController();
  #sweeping: Promise<void> | undefined;

  constructor(
    database: EmbeddedDatabase,
    {
      sweepMs = 10_000,
      log = silent,
      now = Date.now,
      ownsDatabase = false,
    }: EmbeddedStoreOptions & { readonly ownsDatabase?: boolean } = {},
  ) {
    this.database = database;
    this.#ownsDatabase = ownsDatabase;
    this.#now = now;
    this.#steady = steadyClock(now);
    this.#log = log;
    this.#timer = setInterval(() => this.#sweepInBackground(), sweepMs).unref();
  }

  async read({ database, table }: StoreTable, key: string, signal: AbortSignal): Promise<StoreRecord | undefined> {
    const [row] = await this.database.read(readSql, [database, table, key, this.#steady()], signal);
    return row && this.#record(row);
  }

  async list(table: StoreTable, query: StoreQuery, signal: AbortSignal): Promise<StoreRecord[]> {
    const { sql, params } = scan(recordColumns, table, query, this.#steady());
    return (await this.database.read(sql, params, signal)).map((row) => this.#record(row));
  }

  async keys(table: StoreTable, query: StoreQuery, signal: AbortSignal): Promise<string[]> {
    const { sql, params } = scan(keyColumn, table, query, this.#steady());
    return (await this.database.read(sql, params, signal)).map(([key]) => text(key));
  }

  async write(
    { database, table }: StoreTable,
    { key, value, metadata, expiresAt }: StoreRecord,
    signal: AbortSignal,
  ): Promise<void> {
    const fields = Object.keys(metadata).length === 0 ? null : JSON.stringify(metadata);
    // What is left to live is what counts, should the steady clock have parted from the machine's.
    const expires = expiresAt === undefined ? null : this.#steady() + (expiresAt.getTime() - this.#now());
    const write = { sql: writeSql, params: [database, table, key, exact(value), fields, expires] };
    await this.database.write([{ sql: tableSql, params: [database, table] }, write], signal);
  }

  async delete({ database, table }: StoreTable, key: string, signal: AbortSignal): Promise<void> {
    await this.database.write([{ sql: deleteSql, params: [database, table, key] }], signal);
  }

  async databases(signal: AbortSignal): Promise<string[]> {
    const rows = await this.database.read(databasesSql, [], signal);
    return rows.map(([name]) => text(name));
  }

  async tables(database: string, signal: AbortSignal): Promise<string[]> {
    const rows = await this.database.read(tablesSql, [database], signal);
    return rows.map(([name]) => text(name));
  }

  /** Deletes what has expired from disk; resolves with how many records that were. Runs by itself every `sweepMs`. */
  async sweep(signal: AbortSignal): Promise<number> {
    const now = this.#steady();
    for (let swept = 0; ; ) {
      const [rows] = await this.database.write([{ sql: sweepSql, params: [now] }], signal);
      swept += rows?.length ?? 0;
      if ((rows?.length ?? 0) < sweepRecords) return swept;
    }
  }

  #sweepInBackground(): void {
    this.#sweeping ??= this.sweep(this.#closing.signal)
      .then(() => {})
      .catch((error: unknown) => {
        if (!this.#closing.signal.aborted) this.#log.warn("expired records could not be deleted", { error });
      })
      .finally(() => {
        this.#sweeping = undefined;
      });
  }

  #record([key, value, metadata, expires]: Row): StoreRecord {
    return {
      key: text(key),
      value: value instanceof Uint8Array ? value : new Uint8Array(),
      metadata: typeof metadata === "string" ? JSON.parse(metadata) : {},
      expiresAt: typeof expires === "number" ? new Date(expires - this.#steady() + this.#now()) : undefined,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.#closing.abort();
    await this.#sweeping;
    if (this.#ownsDatabase) await this.database[Symbol.asyncDispose]();
  }
}

function scan(
  columns: string,
  { database, table }: StoreTable,
  query: StoreQuery,
  now: number,
): { sql: string; params: SqlValue[] } {
  const where = [`table_id = ${tableId}`, live];
  const params: SqlValue[] = [database, table, now];
  if (query.prefix !== "") {
    where.push(`key >= ${blob}`, "key < ?");
    params.push(query.prefix, endOfPrefix(query.prefix));
  }
  if (query.suffix !== "") {
    where.push(`substr(key, ?) = ${blob}`);
    params.push(-Buffer.byteLength(query.suffix), query.suffix);
  }
  params.push(query.limit === 0 ? -1 : query.limit, query.offset);
  const order = query.order === "desc" ? "DESC" : "ASC";
  return {
    sql: `SELECT ${columns} FROM records WHERE ${where.join(" AND ")} ORDER BY key ${order} LIMIT ? OFFSET ?`,
    params,
  };
}

/** The first bytes after all keys that begin with `prefix`. The last byte of UTF-8 is never the highest, so adding one is enough. */
function endOfPrefix(prefix: string): Uint8Array {
  const end = new TextEncoder().encode(prefix);
  end[end.length - 1] = (end.at(-1) ?? 0) + 1;
  return end;
}

/** Between threads a view takes the whole buffer behind it along. */
function exact(value: Uint8Array): Uint8Array {
  return value.byteLength === value.buffer.byteLength ? value : Uint8Array.from(value);
}

function text(value: SqlValue | undefined): string {
  return typeof value === "string" ? value : "";
}
