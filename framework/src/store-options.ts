export interface RecordOptions {
  /** Default: a table of this service's name. */
  readonly table?: string;
}

export interface UpdateOptions extends RecordOptions {
  /** The record goes by itself after so many milliseconds. Default: as it was, which is never for a new one. */
  readonly ttlMs?: number;
}

/** What the record that is there has to be for a change to be made. */
interface Condition {
  /** It has this revision, 0 for no record; otherwise the change is a 409. Default: whatever is there. */
  readonly ifRevision?: number;
}

interface Life {
  /** The record goes by itself after so many milliseconds. Default: it stays. */
  readonly ttlMs?: number;
}

export interface WriteOptions extends RecordOptions, Condition, Life {}

export interface DeleteOptions extends RecordOptions, Condition {}

/** One of several changes that are made together. */
export type StoreChange =
  | ({ /** The key. */ readonly write: string; readonly value: unknown } & Condition & Life)
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
