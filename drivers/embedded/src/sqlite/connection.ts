import { DatabaseSync, type StatementSync } from "node:sqlite";
import {
  type Definition,
  type Failure,
  type NumberedStatement,
  type Row,
  resultTooLarge,
  type SqlValue,
} from "./protocol.ts";

interface Known extends Definition {
  statement: StatementSync | undefined;
  hasRows: boolean;
}

/** Inserts that are not ended yet. */
interface Begun {
  readonly insert: Known;
  readonly first: SqlValue;
  last: SqlValue;
}

/** The rows of each statement, or that a condition was not met. */
export type Executed = { readonly rows: Row[][] } | { readonly hasWritten: boolean };

/** A failure that isn't SQLite's. */
export class Refusal extends Error {
  readonly errcode: number;
  constructor(errcode: number, message: string) {
    super(message);
    this.errcode = errcode;
  }
}

/** A thread's connection and its prepared statements, which go by numbers. */
export class Connection {
  readonly database: DatabaseSync;
  readonly #maxResultBytes: number;
  #known: Known[] = [];
  #begun: Begun | undefined;
  /** Those that end inserts, by their text. */
  readonly #ends = new Map<string, StatementSync>();
  #scan: Iterator<Row> | undefined;

  constructor(file: string, readOnly: boolean, maxResultBytes: number) {
    this.database = new DatabaseSync(file, { timeout: 5_000, readOnly });
    this.#maxResultBytes = maxResultBytes;
  }

  define(definitions: readonly Definition[], forget: boolean): void {
    if (forget) {
      this.#known = [];
      this.#ends.clear();
    }
    for (const definition of definitions) this.#known.push({ ...definition, statement: undefined, hasRows: false });
  }

  /** Runs statements up to the first condition that is not met. What inserts began is ended by a later statement, or by `end`. */
  execute(job: readonly NumberedStatement[]): Executed {
    const all: Row[][] = [];
    let hasWritten = false;
    let room = this.#maxResultBytes;
    for (const [id, params] of job) {
      const known = this.#known[id];
      if (known === undefined) throw new Error(`statement ${id} was never defined`);
      if (this.#begun !== undefined && this.#begun.insert !== known) this.end();
      try {
        const rows = this.#rows(known, params, room);
        if (known.isCondition && rows.length === 0) return { hasWritten };
        hasWritten ||= !known.isCondition;
        room -= sizeOf(rows);
        all.push(rows);
      } catch (error) {
        // A statement that failed would report its failure once more at its next use.
        known.statement = undefined;
        throw error;
      }
    }
    return { rows: all };
  }

  /** Ends what the last inserts began. */
  end(): void {
    const begun = this.#begun;
    if (begun === undefined) return;
    this.#begun = undefined;
    const sql = begun.insert.endedBy as string;
    const statement = this.#ends.get(sql) ?? this.#prepare(sql);
    // A statement that failed would report its failure once more at its next use.
    this.#ends.delete(sql);
    statement.run(begun.first, begun.last);
    this.#ends.set(sql, statement);
  }

  /** Forgets what the last inserts began, for they are undone. */
  abandon(): void {
    this.#begun = undefined;
  }

  /** Begins a query; `next` gives its rows. */
  scan(sql: string, params: NumberedStatement[1]): void {
    this.database.exec("BEGIN");
    this.#scan = this.#prepare(sql).iterate(...params) as unknown as Iterator<Row>;
  }

  /** The next rows, about so many bytes of them. */
  next(bytes: number): { rows: Row[]; isLast: boolean } {
    const rows: Row[] = [];
    for (let size = 0; size < bytes; ) {
      const next = this.#scan?.next();
      if (next === undefined || next.done) return { rows, isLast: true };
      rows.push(next.value);
      size += sizeOfRow(next.value);
    }
    return { rows, isLast: false };
  }

  #rows(known: Known, params: NumberedStatement[1], room: number): Row[] {
    if (known.statement === undefined) {
      known.statement = this.#prepare(known.sql);
      known.hasRows = known.statement.columns().length > 0;
    }
    const { statement } = known;
    if (!known.hasRows) {
      const { lastInsertRowid } = statement.run(...params);
      if (known.endedBy !== undefined) this.#begin(known, lastInsertRowid);
      return known.isInsert ? [[lastInsertRowid]] : [];
    }
    if (known.isSingle) {
      const row = statement.get(...params) as unknown as Row | undefined;
      if (row === undefined) return [];
      if (sizeOfRow(row) > room) throw this.#tooLarge();
      return [row];
    }
    const rows: Row[] = [];
    let bytes = 0;
    for (const row of statement.iterate(...params) as unknown as Iterable<Row>) {
      bytes += sizeOfRow(row);
      if (bytes > room) throw this.#tooLarge();
      rows.push(row);
    }
    return rows;
  }

  #begin(insert: Known, row: SqlValue): void {
    if (this.#begun === undefined) this.#begun = { insert, first: row, last: row };
    else this.#begun.last = row;
  }

  #tooLarge(): Refusal {
    return new Refusal(resultTooLarge, `more than ${this.#maxResultBytes} bytes`);
  }

  #prepare(sql: string): StatementSync {
    const statement = this.database.prepare(sql);
    statement.setReturnArrays(true);
    return statement;
  }
}

export function failureOf(error: unknown): Failure {
  const { errcode, message } = error as { errcode?: unknown; message?: unknown };
  return { code: typeof errcode === "number" ? errcode : 0, message: String(message ?? error) };
}

function sizeOf(rows: readonly Row[]): number {
  let bytes = 0;
  for (const row of rows) bytes += sizeOfRow(row);
  return bytes;
}

function sizeOfRow(row: Row): number {
  let bytes = 16;
  for (const value of row) {
    if (value instanceof Uint8Array) bytes += value.byteLength;
    else if (typeof value === "string") bytes += value.length;
  }
  return bytes;
}
