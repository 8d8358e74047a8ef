/** The thread that owns the database. It never throws: every failure is an answer. */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import {
  type Batch,
  type BatchResult,
  type Failure,
  type Job,
  type Opened,
  type Outcome,
  type Row,
  resultTooLarge,
  schemaTooNew,
  type WorkerData,
} from "./protocol.ts";
import { migrate, schemaVersion } from "./schema.ts";

const { file, maxResultBytes } = workerData as WorkerData;
const statements = new Map<string, StatementSync>();
let database: DatabaseSync;

/** Buffers from this size on change owner instead of being copied between the threads. */
const transferBytes = 16 * 1024;

class Refusal extends Error {
  readonly errcode: number;
  constructor(errcode: number, message: string) {
    super(message);
    this.errcode = errcode;
  }
}

function open(): Opened {
  try {
    database = new DatabaseSync(file, { timeout: 5_000 });
    // FULL: an acknowledged write survives the loss of power, not only of the process.
    database.exec(
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA cache_size = -16384;",
    );
    if (!migrate(database)) throw new Refusal(schemaTooNew, `this version reads up to ${schemaVersion}`);
    return { opened: true };
  } catch (error) {
    return { failure: failureOf(error) };
  }
}

function run({ reads, writes }: Batch): BatchResult {
  return { reads: reads.map((job) => attempt(() => execute(job))), writes: writes.length === 0 ? [] : commit(writes) };
}

/** All jobs in one transaction, answered only once it is on disk. If that is more than the disk takes, each in its own. */
function commit(jobs: readonly Job[]): Outcome[] {
  try {
    database.exec("BEGIN IMMEDIATE");
    const outcomes: Outcome[] = [];
    for (const job of jobs) {
      const outcome = attempt(() => atomically(job));
      // A full disk makes SQLite roll back by itself: nothing of the batch is there, and what came next would be outside of it.
      if (!database.isTransaction) return jobs.length === 1 ? [outcome] : jobs.flatMap((each) => commit([each]));
      outcomes.push(outcome);
    }
    database.exec("COMMIT");
    return outcomes;
  } catch (error) {
    if (database.isTransaction) database.exec("ROLLBACK");
    const failure = failureOf(error);
    return jobs.map(() => ({ failure }));
  }
}

function atomically(job: Job): Row[][] {
  if (job.length === 1) return execute(job);
  database.exec("SAVEPOINT job");
  try {
    const rows = execute(job);
    database.exec("RELEASE job");
    return rows;
  } catch (error) {
    if (database.isTransaction) database.exec("ROLLBACK TO job; RELEASE job");
    throw error;
  }
}

function execute(job: Job): Row[][] {
  let bytes = 0;
  return job.map(({ sql, params }) => {
    const rows: Row[] = [];
    try {
      for (const row of prepared(sql).iterate(...params) as unknown as Iterable<Row>) {
        bytes += sizeOf(row);
        if (bytes > maxResultBytes) throw new Refusal(resultTooLarge, `more than ${maxResultBytes} bytes`);
        rows.push(row);
      }
      return rows;
    } catch (error) {
      // A statement that failed would report its failure once more at its next use.
      statements.delete(sql);
      throw error;
    }
  });
}

function prepared(sql: string): StatementSync {
  const known = statements.get(sql);
  if (known !== undefined) return known;
  const statement = database.prepare(sql);
  statement.setReturnArrays(true);
  statements.set(sql, statement);
  return statement;
}

function sizeOf(row: Row): number {
  let bytes = 16;
  for (const value of row) {
    if (value instanceof Uint8Array) bytes += value.byteLength;
    else if (typeof value === "string") bytes += value.length;
  }
  return bytes;
}

function attempt(run: () => Row[][]): Outcome {
  try {
    return { rows: run() };
  } catch (error) {
    return { failure: failureOf(error) };
  }
}

function failureOf(error: unknown): Failure {
  const { errcode, message } = error as { errcode?: unknown; message?: unknown };
  return { code: typeof errcode === "number" ? errcode : 0, message: String(message ?? error) };
}

function transferable(result: BatchResult): ArrayBuffer[] {
  const buffers: ArrayBuffer[] = [];
  for (const outcome of result.reads) {
    if (!("rows" in outcome)) continue;
    for (const row of outcome.rows.flat()) {
      for (const value of row) {
        const owned =
          value instanceof Uint8Array &&
          value.byteLength >= transferBytes &&
          value.byteLength === value.buffer.byteLength;
        if (owned) buffers.push(value.buffer as ArrayBuffer);
      }
    }
  }
  return buffers;
}

const port = parentPort;
if (port !== null) {
  port.postMessage(open());
  port.on("message", (batch: Batch | "close") => {
    if (batch === "close") {
      // Folds the log into the file and lets the event loop of this thread end.
      if (database?.isOpen) database.close();
      port.close();
      return;
    }
    const result = run(batch);
    port.postMessage(result, transferable(result));
  });
}
