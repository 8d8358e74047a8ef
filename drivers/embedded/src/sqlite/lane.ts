import { MicroError } from "@microts/core";
import { errorOfFailure } from "./failure.ts";
import type { Job, Outcome, Row } from "./protocol.ts";
import type { DatabaseThread } from "./thread.ts";

interface Waiting {
  readonly job: Job;
  readonly bytes: number;
  readonly signal: AbortSignal;
  resolve(rows: Row[][] | undefined): void;
  reject(error: unknown): void;
}

export interface LaneOptions {
  readonly kind: "read" | "write";
  /** Does the jobs from the beginning. */
  readonly thread: DatabaseThread;
  /** How many threads may work for it, further ones made by `start` when all stay busy. One keeps jobs in order. */
  readonly maxThreads?: number;
  readonly start?: () => Promise<DatabaseThread>;
  /** Is told of every batch that was done, and how many bytes it had. */
  readonly onDone?: (bytes: number) => void;
}

/** At most so many jobs go to a thread at once, and about so many bytes. */
const batchJobs = 1_000;
const batchBytes = 32 * 1024 * 1024;
/** Jobs that wait now and still or again so much later get another thread: a burst, as at the start of the server, gets none. */
const growAfterMs = 20;
/**
 * A disk so slow makes callers come in lockstep: those that were just answered come back a moment after the next batch would have left, and wait for all of it.
 * So it waits for them, for a part of the time that the batch before took.
 */
const slowMs = 2;
const patience = 1 / 3;
const maxPatienceMs = 4;
/** More than this waiting means the disk can't keep up: callers are refused instead of memory filling. */
const maxWaiting = 20_000;
const maxWaitingBytes = 256 * 1024 * 1024;

/**
 * Jobs on their way to one kind of thread. What comes in one turn of the event loop, or while the threads are busy, goes out as one batch.
 */
export class Lane {
  readonly #kind: "read" | "write";
  readonly #maxThreads: number;
  readonly #start: LaneOptions["start"];
  readonly #onDone: LaneOptions["onDone"];
  readonly #threads: DatabaseThread[];
  readonly #idle: DatabaseThread[];
  #starting = false;
  #growing: NodeJS.Timeout | undefined;
  #queue: Waiting[] = [];
  #bytes = 0;
  #scheduled = false;
  /** Runs while callers who were answered may come back, of whom there are so many with those who wait. */
  #gathering: NodeJS.Timeout | undefined;
  #gathered = 0;
  #busy = 0;
  #closed: MicroError | undefined;
  #drained: (() => void) | undefined;

  constructor({ kind, thread, maxThreads = 1, start, onDone }: LaneOptions) {
    this.#kind = kind;
    this.#threads = [thread];
    this.#idle = [thread];
    this.#maxThreads = maxThreads;
    this.#start = start;
    this.#onDone = onDone;
  }

  /**
   * Resolves with the rows of each statement, or with undefined when a condition was not met. A signal that aborts before the job went to a thread
   * undoes the call.
   */
  run(job: Job, signal: AbortSignal): Promise<Row[][] | undefined> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      if (this.#closed !== undefined) throw this.#closed;
      const bytes = sizeOf(job);
      if (this.#queue.length >= maxWaiting || this.#bytes + bytes > maxWaitingBytes) {
        throw MicroError.unavailable(
          "store",
          "the database has more to do than the disk can take: try again in a moment",
        );
      }
      this.#bytes += bytes;
      this.#queue.push({ job, bytes, signal, resolve, reject });
      this.#schedule();
    });
  }

  /** Resolves when all that was asked for is done; refuses what comes later. The first thread stays its owner's to close. */
  async close(): Promise<void> {
    if (this.#queue.length > 0 || this.#busy > 0) await new Promise<void>((resolve) => (this.#drained = resolve));
    this.#closed ??= MicroError.unavailable("store", "the database is closed");
    clearTimeout(this.#growing);
    clearTimeout(this.#gathering);
    while (this.#starting) await new Promise((resolve) => setImmediate(resolve));
    await Promise.all(this.#threads.slice(1).map((thread) => thread.close()));
  }

  /** At the end of this turn of the event loop, so that everything asked for in it shares one batch. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#send();
    });
  }

  #send(): void {
    if (this.#gathering !== undefined && this.#queue.length < this.#gathered) return;
    this.#endGathering();
    while (this.#queue.length > 0) {
      const thread = this.#idle.pop();
      if (thread === undefined) return void this.#planGrowth();
      const batch = this.#take();
      if (batch.length === 0) this.#idle.push(thread);
      else void this.#give(thread, batch);
    }
    if (this.#busy === 0) this.#drained?.();
  }

  async #give(thread: DatabaseThread, batch: readonly Waiting[]): Promise<void> {
    this.#busy++;
    const startedMs = performance.now();
    try {
      const outcomes = await thread.run(
        this.#kind,
        batch.map(({ job }) => job),
      );
      for (let index = 0; index < batch.length; index++) settle(batch[index] as Waiting, outcomes[index], thread.file);
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
    this.#onDone?.(batch.reduce((sum, { bytes }) => sum + bytes, 0));
    this.#busy--;
    this.#idle.push(thread);
    if (this.#kind === "write") this.#gather(batch.length, performance.now() - startedMs);
    this.#send();
  }

  /** So many were answered, after so long. */
  #gather(answered: number, tookMs: number): void {
    if (tookMs < slowMs || this.#closed !== undefined || this.#drained !== undefined) return;
    this.#gathered = answered + this.#queue.length;
    const ms = Math.min(maxPatienceMs, tookMs * patience);
    this.#gathering = setTimeout(() => {
      this.#endGathering();
      this.#send();
    }, ms);
  }

  #endGathering(): void {
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
  }

  /** The next batch, without those whose signal has aborted meanwhile. */
  #take(): Waiting[] {
    let bytes = 0;
    let count = 0;
    while (count < this.#queue.length && count < batchJobs && bytes < batchBytes)
      bytes += this.#queue[count++]?.bytes ?? 0;
    this.#bytes -= bytes;
    return this.#queue.splice(0, count).filter(({ signal, reject }) => {
      if (signal.aborted) reject(signal.reason);
      return !signal.aborted;
    });
  }

  #planGrowth(): void {
    const start = this.#start;
    if (start === undefined || this.#starting || this.#threads.length >= this.#maxThreads) return;
    this.#growing ??= setTimeout(() => {
      this.#growing = undefined;
      if (this.#queue.length > 0 && this.#idle.length === 0) void this.#grow(start);
    }, growAfterMs).unref();
  }

  async #grow(start: () => Promise<DatabaseThread>): Promise<void> {
    this.#starting = true;
    try {
      const thread = await start();
      this.#threads.push(thread);
      this.#idle.push(thread);
    } catch {
      // The threads that are there do the work, only later.
    } finally {
      this.#starting = false;
    }
    this.#send();
  }
}

function settle({ resolve, reject }: Waiting, outcome: Outcome | undefined, file: string): void {
  if (outcome === undefined) reject(MicroError.internal("store", "the database thread gave no answer"));
  else if ("rows" in outcome) resolve(outcome.rows);
  else if ("isUnmet" in outcome) resolve(undefined);
  else reject(errorOfFailure(outcome.failure, file));
}

function sizeOf(job: Job): number {
  let bytes = 64;
  for (const { params } of job) {
    for (const value of params)
      bytes += value instanceof Uint8Array ? value.byteLength : typeof value === "string" ? value.length : 8;
  }
  return bytes;
}
