import type { StatementSync } from "node:sqlite";
import { type Connection, failureOf } from "./connection.ts";
import type { Failure, NumberedStatement, Outcome } from "./protocol.ts";
import { isDiskFailure, isFullDisk } from "./result-codes.ts";

type Job = readonly NumberedStatement[];

/** A transaction that ended without effect: by one of its jobs, or at its beginning or end. */
interface Undone {
  readonly failure: Failure;
  readonly isByJob: boolean;
}

/** Undoes a job that wrote before one of its conditions was not met. */
class Unmet extends Error {}

/** Writes jobs in one transaction for all, so that one fsync answers them all. */
export class Committer {
  readonly #connection: Connection;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  #broken: Failure | undefined;

  constructor(connection: Connection) {
    this.#connection = connection;
    this.#begin = connection.database.prepare("BEGIN IMMEDIATE");
    this.#commit = connection.database.prepare("COMMIT");
  }

  /** What became of each job. Those that have rows are on disk. */
  run(jobs: readonly Job[]): readonly Outcome[] {
    const failure = this.#broken;
    if (failure !== undefined) return jobs.map(() => ({ failure }));
    // Without savepoints first, for almost always nothing fails.
    let plain = this.#transaction(jobs, (job) => this.#plain(job));
    if (!Array.isArray(plain) && isFullDisk(plain.failure) && this.#emptyLog())
      plain = this.#transaction(jobs, (job) => this.#plain(job));
    if (Array.isArray(plain)) return plain;
    if (!isRetryable(plain)) return this.#failed(jobs, plain);
    const careful = this.#transaction(jobs, (job) => this.#undoable(job));
    return Array.isArray(careful) ? careful : this.#failed(jobs, careful);
  }

  /** Nothing is written any more after the disk has failed: what it says then can't be believed. */
  breakOn(failure: Failure): void {
    if (isDiskFailure(failure)) this.#broken ??= failure;
  }

  #transaction(jobs: readonly Job[], run: (job: Job) => Outcome): Outcome[] | Undone {
    let isByJob = false;
    try {
      this.#begin.run();
      isByJob = true;
      const outcomes = jobs.map(run);
      this.#connection.end();
      isByJob = false;
      this.#commit.run();
      return outcomes;
    } catch (error) {
      this.#connection.abandon();
      if (this.#connection.database.isTransaction) this.#connection.database.exec("ROLLBACK");
      const failure = failureOf(error);
      this.breakOn(failure);
      return { failure, isByJob };
    }
  }

  #plain(job: Job): Outcome {
    const executed = this.#connection.execute(job);
    if ("rows" in executed) return executed;
    if (executed.hasWritten) throw new Unmet();
    return { isUnmet: true };
  }

  #undoable(job: Job): Outcome {
    const { database } = this.#connection;
    database.exec("SAVEPOINT job");
    try {
      const outcome = this.#plain(job);
      this.#connection.end();
      database.exec("RELEASE job");
      return outcome;
    } catch (error) {
      this.#connection.abandon();
      // Some failures make SQLite roll back everything: what came next would be outside of the transaction.
      if (!database.isTransaction) throw error;
      database.exec("ROLLBACK TO job; RELEASE job");
      return error instanceof Unmet ? { isUnmet: true } : { failure: failureOf(error) };
    }
  }

  #failed(jobs: readonly Job[], { failure }: Undone): readonly Outcome[] {
    // Smaller transactions may fit on a disk that is full for a large one.
    if (isFullDisk(failure) && jobs.length > 1) return jobs.flatMap((job) => this.run([job]));
    return jobs.map(() => ({ failure }));
  }

  /** On a full disk there may be room in the log, once what it holds is in the file; whether it is. */
  #emptyLog(): boolean {
    try {
      const [log = {}] = this.#connection.database.prepare("PRAGMA wal_checkpoint(PASSIVE)").all();
      return log["log"] === log["checkpointed"] && Number(log["log"]) > 0;
    } catch (error) {
      this.breakOn(failureOf(error));
      return false;
    }
  }
}

/** Whether the jobs should be tried again behind savepoints. */
function isRetryable({ failure, isByJob }: Undone): boolean {
  return isByJob && !isDiskFailure(failure) && !isFullDisk(failure);
}
