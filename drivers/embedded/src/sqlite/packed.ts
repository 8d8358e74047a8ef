import type {
  Failure,
  Job,
  NumberedStatement,
  Outcome,
  PackedJobs,
  PackedOutcomes,
  Row,
  SqlValue,
  Statement,
} from "./protocol.ts";

/**
 * Jobs and outcomes as they travel between threads: flat lists, and bytes in one buffer. Copying an object, a list within a list or a
 * view from one thread to another costs more than what is in it.
 */

const unmet = -1;
const failed = -2;
const noBytes = new Uint8Array();
/** Buffers of outcomes from this size on change owner instead of being copied. */
const movedBytes = 16 * 1024;

/** The bytes are copied. */
export function packJobs(jobs: readonly Job[], numberOf: (statement: Statement) => number): PackedJobs {
  const shape: number[] = [];
  const values: (SqlValue | undefined)[] = [];
  const pieces: Uint8Array[] = [];
  for (const job of jobs) {
    shape.push(job.length);
    for (const statement of job) {
      const { params } = statement;
      shape.push(numberOf(statement), params.length);
      for (const value of params) {
        const isBytes = value instanceof Uint8Array;
        values.push(isBytes ? undefined : value);
        if (isBytes) pieces.push(value);
      }
    }
  }
  return { shape, values, ...joined(pieces) };
}

function joined(pieces: readonly Uint8Array[]): Pick<PackedJobs, "sizes" | "bytes"> {
  const sizes: number[] = [];
  let total = 0;
  for (const { byteLength } of pieces) {
    sizes.push(byteLength);
    total += byteLength;
  }
  if (total === 0) return { sizes, bytes: noBytes };
  const bytes = Buffer.allocUnsafeSlow(total);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.byteLength;
  }
  return { sizes, bytes };
}

/** The values of bytes are views of the bytes given. */
export function unpackJobs({ shape, values, sizes, bytes }: PackedJobs): NumberedStatement[][] {
  const jobs: NumberedStatement[][] = [];
  let value = 0;
  let piece = 0;
  let start = 0;
  for (let at = 0; at < shape.length; ) {
    const job: NumberedStatement[] = [];
    for (let left = shape[at++] as number; left > 0; left--) {
      const id = shape[at++] as number;
      const params: SqlValue[] = [];
      for (let end = value + (shape[at++] as number); value < end; value++) {
        const one = values[value];
        if (one !== undefined) params.push(one);
        else {
          const size = sizes[piece++] as number;
          params.push(bytes.subarray(start, start + size));
          start += size;
        }
      }
      job.push([id, params]);
    }
    jobs.push(job);
  }
  return jobs;
}

export function packOutcomes(outcomes: readonly Outcome[]): PackedOutcomes {
  const shape: number[] = [];
  const values: (SqlValue | undefined)[] = [];
  const pieces: Uint8Array[] = [];
  const failures: Failure[] = [];
  for (const outcome of outcomes) {
    if ("rows" in outcome) {
      shape.push(outcome.rows.length);
      for (const rows of outcome.rows) packRows(rows, shape, values, pieces);
    } else if ("isUnmet" in outcome) {
      shape.push(unmet);
    } else {
      shape.push(failed);
      failures.push(outcome.failure);
    }
  }
  return { shape, values, ...joined(pieces), failures };
}

function packRows(rows: readonly Row[], shape: number[], values: (SqlValue | undefined)[], pieces: Uint8Array[]): void {
  const [first] = rows;
  shape.push(rows.length);
  if (first === undefined) return;
  shape.push(first.length);
  for (const row of rows) {
    for (const value of row) {
      const isPiece = value instanceof Uint8Array && value.byteLength < movedBytes;
      values.push(isPiece ? undefined : value);
      if (isPiece) pieces.push(value);
    }
  }
}

/** What may change owner as the outcomes travel. */
export function movedWith({ values, bytes }: PackedOutcomes): ArrayBuffer[] {
  const moved: ArrayBuffer[] = bytes.byteLength === 0 ? [] : [bytes.buffer];
  for (const value of values) {
    const isMoved = value instanceof Uint8Array && value.byteLength === value.buffer.byteLength;
    if (isMoved) moved.push(value.buffer as ArrayBuffer);
  }
  return moved;
}

/** Small values of bytes are views of the bytes given. */
export function unpackOutcomes({ shape, values, sizes, bytes, failures }: PackedOutcomes): Outcome[] {
  const outcomes: Outcome[] = [];
  let value = 0;
  let piece = 0;
  let start = 0;
  let failure = 0;
  for (let at = 0; at < shape.length; ) {
    const kind = shape[at++] as number;
    if (kind === unmet) outcomes.push({ isUnmet: true });
    else if (kind === failed) outcomes.push({ failure: failures[failure++] as Failure });
    else {
      const all: Row[][] = [];
      for (let left = kind; left > 0; left--) {
        const rows: Row[] = [];
        const count = shape[at++] as number;
        const columns = count === 0 ? 0 : (shape[at++] as number);
        for (let n = 0; n < count; n++) {
          const row: SqlValue[] = [];
          for (const end = value + columns; value < end; value++) {
            const one = values[value];
            if (one !== undefined) row.push(one);
            else {
              const size = sizes[piece++] as number;
              row.push(new Uint8Array(bytes.buffer, bytes.byteOffset + start, size));
              start += size;
            }
          }
          rows.push(row);
        }
        all.push(rows);
      }
      outcomes.push({ rows: all });
    }
  }
  return outcomes;
}
