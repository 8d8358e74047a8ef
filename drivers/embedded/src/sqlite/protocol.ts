/** What the threads of the embedded database say to each other. */

export type SqlValue = null | number | bigint | string | Uint8Array;

/** One statement and the values of its `?`. */
export interface Statement {
  readonly sql: string;
  readonly params: readonly SqlValue[];
  /** The statement only reads, and the job goes on only when it yields a row; see `EmbeddedDatabase.writeIf`. Default false. */
  readonly isCondition?: boolean;
  /** The statement inserts one row and returns nothing; it yields the row's number, at half the cost of RETURNING. Default false. */
  readonly isInsert?: boolean;
  /**
   * With `isInsert`: the text of a statement that ends what the insert began, once for all inserts of the same text in a row, over several jobs too. Its values
   * are the numbers of the first and the last of their rows, between which are no others. It runs before any other statement, and before the transaction ends.
   */
  readonly endedBy?: string;
  /** The query yields one row at most, which is got at half the cost of many. Default false. */
  readonly isSingle?: boolean;
}

/** A row's columns in the order of the statement. */
export type Row = readonly SqlValue[];

/** Statements that take effect together or not at all. */
export type Job = readonly Statement[];

/** A statement as a thread knows it: the number its text was given, and its values. */
export type NumberedStatement = readonly [id: number, params: readonly SqlValue[]];

/** The text of a statement, told to a thread once. */
export interface Definition {
  readonly sql: string;
  readonly isCondition: boolean;
  readonly isInsert: boolean;
  readonly endedBy: string | undefined;
  readonly isSingle: boolean;
}

/** What a thread is asked to do. It answers every request, in order. */
export type Request =
  | {
      readonly kind: "read" | "write";
      /** Texts that are new to the thread, numbered on from those it knows; after `forget` from 0. */
      readonly defined: readonly Definition[];
      readonly forget: boolean;
      readonly jobs: PackedJobs;
    }
  /** Begins a query, in one state of the database until the thread is closed; its rows come by `next`. */
  | { readonly kind: "scan"; readonly sql: string; readonly params: readonly SqlValue[] }
  | { readonly kind: "next" }
  | { readonly kind: "checkpoint" }
  | { readonly kind: "vacuum"; readonly pages: number }
  /** Besides the file, each query must yield no row; the first column of a row says what is wrong. */
  | { readonly kind: "check"; readonly queries: readonly string[] }
  | { readonly kind: "close" };

/** SQLite's extended result code (sqlite.org/rescode.html) and text; code 0 when something else than SQLite failed. */
export interface Failure {
  readonly code: number;
  readonly message: string;
}

/** The rows of each statement of a job, that a condition was not met and nothing done, or what failed. */
export type Outcome = { readonly rows: Row[][] } | { readonly isUnmet: true } | { readonly failure: Failure };

/** Jobs as they travel; see packed.ts. */
export interface PackedJobs {
  /** For each job how many statements it has, then of each its number and how many values it has. */
  readonly shape: readonly number[];
  /** Undefined stands for the next of the bytes. */
  readonly values: readonly (SqlValue | undefined)[];
  readonly sizes: readonly number[];
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Outcomes as they travel. */
export interface PackedOutcomes {
  /** For each outcome that it was unmet or failed, or how many statements it has, then of each how many rows it has, and if any how many columns. */
  readonly shape: readonly number[];
  /** Undefined stands for the next of the bytes. */
  readonly values: readonly (SqlValue | undefined)[];
  readonly sizes: readonly number[];
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly failures: readonly Failure[];
}

export interface Checkpoint {
  /** Pages in the log, and how many of them are in the file as well. */
  readonly logPages: number;
  readonly copiedPages: number;
  readonly pages: number;
  readonly freePages: number;
}

export type Reply =
  | { readonly outcomes: PackedOutcomes }
  | { readonly rows: Row[]; readonly isLast: boolean }
  | { readonly checkpoint: Checkpoint }
  /** What is wrong with the file, in SQLite's words; empty when nothing is. */
  | { readonly problems: readonly string[] }
  | { readonly failure: Failure }
  | { readonly done: true };

/** The writer writes, and alone makes and migrates the file; readers read; the keeper does what takes long. */
export type Role = "writer" | "reader" | "keeper";

/** What a thread is started with. */
export interface ThreadData {
  /** A file, or ":memory:". */
  readonly file: string;
  readonly role: Role;
  /** A read whose values exceed so many bytes fails with `resultTooLarge`. */
  readonly maxResultBytes: number;
}

/** The first message of a thread: its connection is open, or why not. */
export type Opened = { readonly opened: true } | { readonly failure: Failure };

/** Not a code of SQLite. */
export const resultTooLarge = -1;
/** Not a code of SQLite: the write-ahead log was altered. */
export const logDamaged = -3;
/** Not a code of SQLite: the file was made by a newer version of the schema. */
export const schemaTooNew = -2;
