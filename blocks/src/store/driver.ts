/** A value under a key. */
export interface StoreRecord {
  /** Text, or any other string of bytes in the form of `keyOfBytes`. */
  readonly key: string;
  readonly value: Uint8Array;
  readonly metadata: Readonly<Record<string, string>>;
  /** From then on the record is gone; undefined keeps it until it is deleted. */
  readonly expiresAt: Date | undefined;
}

/** A record as it was read. */
export interface StoredRecord extends StoreRecord {
  /** Given by the change that wrote it. Every later change of the store has a higher one; none is 0. */
  readonly revision: number;
}

/** The database that the platform keeps its own accounts, rules, secrets and deployments in. Nobody reaches it through `store.Store`. */
export const platformDatabase = "@platform";

/** Where records live: a database belongs to a tenant and carries its name, a table to a service. Both are data, never paths. */
export interface StoreTable {
  readonly database: string;
  readonly table: string;
}

/** Which keys. */
export interface StoreMatch {
  /** Keys that begin with this; "" for all. */
  readonly prefix: string;
  /** Keys that also end with this; "" for all. */
  readonly suffix: string;
}

export interface StoreQuery extends StoreMatch {
  /** At most so many, after `offset`; 0 for all. */
  readonly limit: number;
  /** Leaves out the first so many matches. */
  readonly offset: number;
  readonly order: "asc" | "desc";
}

/** One change among others that take effect together. */
export interface StoreChange {
  readonly key: string;
  /** What the key holds from then on; undefined deletes it, and a key that is not there is no error. */
  readonly record: StoreRecord | undefined;
  /** The revision of the key's record has to be this one, 0 for no record; undefined takes any. */
  readonly ifRevision: number | undefined;
}

/** A change that was made. */
export interface StoreEvent {
  readonly key: string;
  readonly revision: number;
  /** What the key holds since then; undefined when it was deleted or has expired. */
  readonly record: StoredRecord | undefined;
}

/** How far a watch has come while there was nothing to tell: nothing it would tell lies up to here. */
export interface StoreMark {
  readonly key: undefined;
  readonly revision: number;
}

/** Changes in the order of their revisions, each once; between them marks, from where a watch may go on as well. */
export interface StoreWatch extends AsyncIterable<StoreEvent | StoreMark> {
  /** The newest revision of the store when the watch began. */
  readonly revision: number;
}

/** What a backend must do to hold records. `Store` has already validated every argument. */
export interface StoreDriver extends AsyncDisposable {
  readonly name: string;

  /** The live record, or undefined when there is none or it has expired. */
  read(table: StoreTable, key: string, signal: AbortSignal): Promise<StoredRecord | undefined>;

  /** Live records that match, ordered by the bytes of their keys. */
  list(table: StoreTable, query: StoreQuery, signal: AbortSignal): Promise<StoredRecord[]>;

  /** The keys of what `list` would return. */
  keys(table: StoreTable, query: StoreQuery, signal: AbortSignal): Promise<string[]>;

  /** How many live records match. */
  count(table: StoreTable, match: StoreMatch, signal: AbortSignal): Promise<number>;

  /**
   * Creates or replaces. Resolves, with the record's revision, when it survives a crash (if the driver is durable) and every later read
   * sees it.
   */
  write(table: StoreTable, record: StoreRecord, signal: AbortSignal): Promise<number>;

  /** As durable as `write`. Deleting a key that is not there is not an error. */
  delete(table: StoreTable, key: string, signal: AbortSignal): Promise<void>;

  /**
   * Makes all changes, of different keys, at once, as durable as `write`. Resolves with the revision of the last one in effect, or with undefined, and
   * nothing done, when a key doesn't have the revision it has to.
   */
  commit(table: StoreTable, changes: readonly StoreChange[], signal: AbortSignal): Promise<number | undefined>;

  /**
   * Changes of a table under keys that begin with `prefix`, until the signal aborts: those after the revision `after`, or else those committed once it
   * has resolved. A record that expires is told as gone, sooner or later; until then nothing more may be told of it. Rejects with 412, or ends with it, when
   * some of the changes after the revision are known no longer; who has nothing to be told for long gets a mark before that.
   */
  watch(table: StoreTable, prefix: string, after: number | undefined, signal: AbortSignal): Promise<StoreWatch>;

  /** Live records in ascending order of their keys, in parts, all as they were at one moment, however many they are. */
  snapshot(table: StoreTable, signal: AbortSignal): AsyncIterable<StoredRecord[]>;

  /** Names of databases that hold a table, ascending. */
  databases(signal: AbortSignal): Promise<string[]>;

  /** Names of tables ever written to in the database, ascending; reads make none. */
  tables(database: string, signal: AbortSignal): Promise<string[]>;
}
