/** A value under a key. */
export interface StoreRecord {
  readonly key: string;
  readonly value: Uint8Array;
  readonly metadata: Readonly<Record<string, string>>;
  /** From then on the record is gone; undefined keeps it until it is deleted. */
  readonly expiresAt: Date | undefined;
}

/** The database that the platform keeps its own accounts, rules, secrets and deployments in. Nobody reaches it through `store.Store`. */
export const platformDatabase = "@platform";

/** Where records live: a database belongs to a tenant and carries its name, a table to a service. Both are data, never paths. */
export interface StoreTable {
  readonly database: string;
  readonly table: string;
}

export interface StoreQuery {
  /** Keys that begin with this; "" for all. */
  readonly prefix: string;
  /** Keys that also end with this; "" for all. */
  readonly suffix: string;
  /** At most so many, after `offset`; 0 for all. */
  readonly limit: number;
  /** Leaves out the first so many matches. */
  readonly offset: number;
  readonly order: "asc" | "desc";
}

/** What a backend must do to hold records. `Store` has already validated every argument. */
export interface StoreDriver extends AsyncDisposable {
  readonly name: string;

  /** The live record, or undefined when there is none or it has expired. */
  read(table: StoreTable, key: string, signal: AbortSignal): Promise<StoreRecord | undefined>;

  /** Live records that match, ordered by the bytes of their keys. */
  list(table: StoreTable, query: StoreQuery, signal: AbortSignal): Promise<StoreRecord[]>;

  /** The keys of what `list` would return. */
  keys(table: StoreTable, query: StoreQuery, signal: AbortSignal): Promise<string[]>;

  /** Creates or replaces. Resolves when the record survives a crash (if the driver is durable) and every later read sees it. */
  write(table: StoreTable, record: StoreRecord, signal: AbortSignal): Promise<void>;

  /** As durable as `write`. Deleting a key that is not there is not an error. */
  delete(table: StoreTable, key: string, signal: AbortSignal): Promise<void>;

  /** Names of databases that hold a table, ascending. */
  databases(signal: AbortSignal): Promise<string[]>;

  /** Names of tables ever written to in the database, ascending; reads make none. */
  tables(database: string, signal: AbortSignal): Promise<string[]>;
}
