import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { MicroError } from "@microts/core";
import { errorOfFailure } from "./failure.ts";
import { lockDataDirectory } from "./lock.ts";
import type { Batch, BatchResult, Job, Opened, Outcome, Row, SqlValue, WorkerData } from "./protocol.ts";

export interface DatabaseOptions {
  /** Directory of `micro.db`, made and locked for this process; undefined keeps everything in memory. */
  readonly dataDir?: string | undefined;
}

interface Waiting {
  readonly job: Job;
  readonly bytes: number;
  readonly signal: AbortSignal;
  resolve(rows: Row[][]): void;
  reject(error: unknown): void;
}

interface Sent {
  readonly reads: readonly Waiting[];
  readonly writes: readonly Waiting[];
}

/** At most so many jobs go to disk in one transaction, and about so many bytes. */
const batchJobs = 1_000;
const batchBytes = 32 * 1024 * 1024;
/** More than this waiting means the disk can't keep up: callers are refused instead of memory filling. */
const maxWaiting = 20_000;
const maxWaitingBytes = 256 * 1024 * 1024;
const maxResultBytes = 64 * 1024 * 1024;

/**
 * The one SQLite file of the embedded driver, owned by a worker thread. What is asked for in one turn of the event loop, or while the
 * worker is busy, goes to it as one batch: all writes of a batch are one transaction, and each caller is answered after the commit.
 */
export class EmbeddedDatabase implements AsyncDisposable {
  /** The directory it is in; undefined in memory. */
  readonly dataDir: string | undefined;
  readonly #file: string;
  readonly #lock: Disposable | undefined;
  readonly #worker: Worker;
  #reads: Waiting[] = [];
  #writes: Waiting[] = [];
  #waitingBytes = 0;
  #sent: Sent | undefined;
  #scheduled = false;
  #closed: MicroError | undefined;
  #idle: (() => void) | undefined;

  private constructor(dataDir: string | undefined, file: string, lock: Disposable | undefined, worker: Worker) {
    this.dataDir = dataDir;
    this.#file = file;
    this.#lock = lock;
    this.#worker = worker;
    worker.on("message", (result: BatchResult) => this.#answer(result));
    worker.on("error", (error: unknown) =>
      this.#fail(`the database thread failed: ${error instanceof Error ? error.message : error}`),
    );
    worker.on("exit", () => this.#fail("the database thread ended"));
    worker.unref();
  }

  /** Opens, and creates or migrates as needed. Throws 409 for a directory in use, 412 for a newer file, 500 for a damaged one. */
  static async open({ dataDir }: DatabaseOptions = {}): Promise<EmbeddedDatabase> {
    const lock = dataDir === undefined ? undefined : lockDataDirectory(dataDir);
    const file = dataDir === undefined ? ":memory:" : join(dataDir, "micro.db");
    const worker = startWorker({ file, maxResultBytes });
    try {
      const opened = await firstMessage(worker);
      if ("failure" in opened) throw errorOfFailure(opened.failure, file);
      return new EmbeddedDatabase(dataDir, file, lock, worker);
    } catch (error) {
      await worker.terminate();
      lock?.[Symbol.dispose]();
      throw error;
    }
  }

  /** Rows of one query, of what was committed when it runs. */
  async read(sql: string, params: readonly SqlValue[], signal: AbortSignal): Promise<Row[]> {
    const rows = await this.#enqueue([{ sql, params }], signal, "read");
    return rows[0] ?? [];
  }

  /**
   * Runs statements that take effect together or not at all; resolves, with the rows of each, when they are on disk. A signal that aborts
   * before the statements were sent to the thread undoes the call; later it changes nothing.
   */
  write(job: Job, signal: AbortSignal): Promise<Row[][]> {
    return this.#enqueue(job, signal, "write");
  }

  async #enqueue(job: Job, signal: AbortSignal, kind: "read" | "write"): Promise<Row[][]> {
    signal.throwIfAborted();
    if (this.#closed !== undefined) throw this.#closed;
    const bytes = sizeOf(job);
    if (this.#reads.length + this.#writes.length >= maxWaiting || this.#waitingBytes + bytes > maxWaitingBytes) {
      throw MicroError.unavailable(
        "store",
        "the database has more to do than the disk can take: try again in a moment",
      );
    }
    this.#waitingBytes += bytes;
    return new Promise((resolve, reject) => {
      (kind === "read" ? this.#reads : this.#writes).push({ job, bytes, signal, resolve, reject });
      this.#schedule();
    });
  }

  /** Sends at the end of this turn of the event loop, so that everything asked for in it shares one commit. */
  #schedule(): void {
    if (this.#scheduled || this.#sent !== undefined) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#send();
    });
  }

  #send(): void {
    if (this.#closed !== undefined) return;
    const reads = this.#take(this.#reads);
    const writes = this.#take(this.#writes);
    if (reads.length + writes.length === 0) {
      if (this.#reads.length + this.#writes.length > 0) this.#schedule();
      else this.#idle?.();
      return;
    }
    this.#sent = { reads, writes };
    this.#worker.ref();
    this.#worker.postMessage({
      reads: reads.map(({ job }) => job),
      writes: writes.map(({ job }) => job),
    } satisfies Batch);
  }

  #take(queue: Waiting[]): Waiting[] {
    let bytes = 0;
    let count = 0;
    while (count < queue.length && count < batchJobs && bytes < batchBytes) bytes += queue[count++]?.bytes ?? 0;
    this.#waitingBytes -= bytes;
    return queue.splice(0, count).filter((waiting) => {
      if (waiting.signal.aborted) waiting.reject(waiting.signal.reason);
      return !waiting.signal.aborted;
    });
  }

  #answer({ reads, writes }: BatchResult): void {
    const sent = this.#sent;
    this.#sent = undefined;
    this.#worker.unref();
    for (const [index, waiting] of (sent?.reads ?? []).entries()) this.#settle(waiting, reads[index]);
    for (const [index, waiting] of (sent?.writes ?? []).entries()) this.#settle(waiting, writes[index]);
    this.#send();
  }

  #settle(waiting: Waiting, outcome: Outcome | undefined): void {
    if (outcome === undefined) waiting.reject(MicroError.internal("store", "the database thread gave no answer"));
    else if ("failure" in outcome) waiting.reject(errorOfFailure(outcome.failure, this.#file));
    else waiting.resolve(outcome.rows);
  }

  #fail(detail: string): void {
    this.#closed ??= MicroError.unavailable("store", `${detail}. Restart the server`);
    const waiting = [...(this.#sent?.reads ?? []), ...(this.#sent?.writes ?? []), ...this.#reads, ...this.#writes];
    this.#sent = undefined;
    this.#reads = [];
    this.#writes = [];
    for (const { reject } of waiting) reject(this.#closed);
    this.#idle?.();
  }

  /** Finishes what was asked for, then closes the file and gives the directory free. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed !== undefined) return;
    if (this.#sent !== undefined || this.#scheduled) await new Promise<void>((resolve) => (this.#idle = resolve));
    this.#closed ??= MicroError.unavailable("store", "the database is closed");
    const exited = new Promise((resolve) => this.#worker.once("exit", resolve));
    this.#worker.ref();
    this.#worker.postMessage("close");
    await exited;
    this.#lock?.[Symbol.dispose]();
  }
}

function startWorker(data: WorkerData): Worker {
  // Sources run as they are; a package has only what was built from them.
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  return new Worker(new URL(`./worker.${extension}`, import.meta.url), {
    workerData: data,
    execArgv: [],
    env: {},
    name: "micro database",
  });
}

function firstMessage(worker: Worker): Promise<Opened> {
  return new Promise((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
    worker.once("exit", () =>
      reject(MicroError.unavailable("store", "the database thread ended before it had opened the file")),
    );
  });
}

function sizeOf(job: Job): number {
  let bytes = 64;
  for (const { params } of job) {
    for (const value of params)
      bytes += value instanceof Uint8Array ? value.byteLength : typeof value === "string" ? value.length : 8;
  }
  return bytes;
}
