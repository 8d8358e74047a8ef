export interface RecordOptions {
  /** Default: a table of this service's name. */
  readonly table?: string;
  /** That of another namespace, for services and accounts that have rights there. Default: the service's own namespace. */
  readonly database?: string;
}

export interface UpdateOptions extends RecordOptions {
  /** The record goes by itself after so many milliseconds. Default: as it was, which is never for a new one. */
  readonly ttlMs?: number;
  /** What is said of the value. Default: as it was. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** What the record that is there has to be for a change to be made. */
interface Condition {
  /** It has this revision, 0 for no record; otherwise the change is a 409. Default: whatever is there. */
  readonly ifRevision?: number;
}

/** What a record has besides its value. */
interface Extras {
  /** The record goes by itself after so many milliseconds. Default: it stays. */
  readonly ttlMs?: number;
  /** What is said of the value, up to 64 KiB. Default: nothing. */
  readonly metadata?: Readonly<Record<string, string>>;
}

export interface WriteOptions extends RecordOptions, Condition, Extras {}

export interface DeleteOptions extends RecordOptions, Condition {}

/** One of several changes that are made together. */
export type StoreChange =
  | ({ /** The key. */ readonly write: string; readonly value: unknown } & Condition & Extras)
  | ({ /** The key. */ readonly delete: string } & Condition);

export interface CountOptions extends RecordOptions {
  /** Keys that begin with this. Default all. */
  readonly prefix?: string;
  /** Keys that end with this. Default all. */
  readonly suffix?: string;
}

export interface ListOptions extends CountOptions {
  /** At most so many. Default 0: all. */
  readonly limit?: number;
  /** Leaves out the first so many. Default 0. */
  readonly offset?: number;
  /** By the bytes of the keys. Default asc. */
  readonly order?: "asc" | "desc";
}

export interface WatchOptions extends RecordOptions {
  /** Keys that begin with this. Default all. */
  readonly prefix?: string;
  /** The changes after this revision, which a write, an entry, an event or a watch told. Default: those from now on. */
  readonly after?: number;
  /** Ends the watch; so does leaving the loop and, inside a handler, the end of its call. */
  readonly signal?: AbortSignal;
}
