/** What the threads of the embedded database say to each other. */

export type SqlValue = null | number | bigint | string | Uint8Array;

/** One statement and the values of its `?`. */
export interface Statement {
  readonly sql: string;
  readonly params: readonly SqlValue[];
}

/** A row's columns in the order of the statement. */
export type Row = readonly SqlValue[];

/** Statements that take effect together or not at all. */
export type Job = readonly Statement[];

export interface Batch {
  /** Run first, and so see only what was committed before the batch. */
  readonly reads: readonly Job[];
  /** Run in order in one transaction; one that fails leaves the others as they are. */
  readonly writes: readonly Job[];
}

/** SQLite's extended result code (sqlite.org/rescode.html) and text; code 0 when something else than SQLite failed. */
export interface Failure {
  readonly code: number;
  readonly message: string;
}

/** The rows of each statement of a job. */
export type Outcome = { readonly rows: Row[][] } | { readonly failure: Failure };

export interface BatchResult {
  readonly reads: readonly Outcome[];
  readonly writes: readonly Outcome[];
}

/** What the worker is started with. */
export interface WorkerData {
  /** A file, or ":memory:". */
  readonly file: string;
  /** A read whose values exceed so many bytes fails with `resultTooLarge`. */
  readonly maxResultBytes: number;
}

/** The first message of the worker: the database is open, or why not. */
export type Opened = { readonly opened: true } | { readonly failure: Failure };

/** Not a code of SQLite. */
export const resultTooLarge = -1;
/** Not a code of SQLite: the file was made by a newer version of the schema. */
export const schemaTooNew = -2;
