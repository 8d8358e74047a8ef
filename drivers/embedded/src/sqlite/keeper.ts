import { type Log, MicroError } from "@microts/core";
import { damaged } from "./failure.ts";
import type { Checkpoint } from "./protocol.ts";
import type { DatabaseThread } from "./thread.ts";

export interface KeeperOptions {
  readonly file: string;
  readonly writer: DatabaseThread;
  readonly log: Log;
  start(): Promise<DatabaseThread>;
}

/** The file is checked so long after a start, when the first calls have been answered. */
const checkAfterMs = 1_000;
/** The log is copied into the file after about so many bytes, and so long after a write at the latest. */
const copyAfterBytes = 8 * 1024 * 1024;
const copyAfterMs = 1_000;
/** What a transaction of one small record adds to the log. */
const transactionBytes = 12 * 1024;
/** From this length on the log is made to begin anew, which holds up writers for a moment: 32 MiB. */
const longLogPages = 8_192;
/** So many pages are given back to the disk in one transaction, which holds up writers for as long as it takes. */
const vacuumPages = 256;
/** Its thread ends when there was nothing to do for so long: a thread takes 6 to 9 MiB. */
const restAfterMs = 3_000;
/** Free pages are kept for the next records up to a quarter of the file, or 4 MiB. */
const keptFreePages = 1_024;

/**
 * What has to be done to the file besides reading and writing, on a thread of its own: copying the log into it, giving free space back, and
 * checking it. Callers wait for none of it.
 */
export class Keeper {
  readonly #file: string;
  readonly #writer: DatabaseThread;
  readonly #log: Log;
  readonly #start: KeeperOptions["start"];
  readonly #checkTimer: NodeJS.Timeout;
  readonly #queries: string[] = [];
  #thread: Promise<DatabaseThread> | undefined;
  #rest: NodeJS.Timeout | undefined;
  #ending: Promise<unknown> = Promise.resolve();
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #working: Promise<void> | undefined;
  #isClosed = false;

  constructor({ file, writer, log, start }: KeeperOptions) {
    this.#file = file;
    this.#writer = writer;
    this.#log = log;
    this.#start = start;
    this.#checkTimer = setTimeout(() => void this.#checkAtStart(), checkAfterMs).unref();
  }

  /** A transaction with so many bytes was written. */
  written(bytes: number): void {
    this.#bytes += bytes + transactionBytes;
    this.#plan();
  }

  /** Adds to what is checked a query that finds what must not be, and says in its first column what that is. */
  addCheck(query: string): void {
    this.#queries.push(query);
  }

  /** What is wrong with the file; empty when nothing is. */
  async check(): Promise<readonly string[]> {
    const reply = await (await this.#ownThread()).ask({ kind: "check", queries: this.#queries });
    return "problems" in reply ? reply.problems : [];
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#checkTimer);
    clearTimeout(this.#timer);
    await this.#working;
    this.#endThread();
    await this.#ending;
  }

  #plan(): void {
    if (this.#bytes >= copyAfterBytes) this.#work();
    else this.#timer ??= setTimeout(() => this.#work(), copyAfterMs).unref();
  }

  #work(): void {
    if (this.#working !== undefined || this.#isClosed) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#bytes = 0;
    this.#working = this.#copyLog()
      .catch((error: unknown) => this.#failed("the database's log could not be copied into its file", error))
      .finally(() => {
        this.#working = undefined;
        if (this.#bytes > 0) this.#plan();
      });
  }

  async #copyLog(): Promise<void> {
    let state = await this.#checkpoint(await this.#ownThread());
    // The log begins anew when nothing in it is left to copy, which only the writer itself can bring about while others write on.
    if (state.logPages > longLogPages) state = await this.#checkpoint(this.#writer);
    while (state.freePages > Math.max(keptFreePages, state.pages / 4) && !this.#isClosed) {
      await this.#writer.ask({ kind: "vacuum", pages: vacuumPages });
      const before = state.freePages;
      state = await this.#checkpoint(await this.#ownThread());
      if (state.freePages >= before) return;
    }
  }

  async #checkpoint(thread: DatabaseThread): Promise<Checkpoint> {
    const reply = await thread.ask({ kind: "checkpoint" });
    if ("checkpoint" in reply) return reply.checkpoint;
    throw MicroError.internal("store", "the database thread gave no answer");
  }

  async #checkAtStart(): Promise<void> {
    try {
      const problems = await this.check();
      if (problems.length > 0) this.#log.error(damaged(this.#file, problems.join("; ")));
    } catch (error) {
      this.#failed("the database could not be checked", error);
    }
  }

  #failed(what: string, error: unknown): void {
    if (!this.#isClosed) this.#log.error(what, { file: this.#file, error });
  }

  #ownThread(): Promise<DatabaseThread> {
    if (this.#isClosed) throw MicroError.unavailable("store", "the database is closed");
    clearTimeout(this.#rest);
    this.#rest = setTimeout(() => this.#endThread(), restAfterMs).unref();
    if (this.#thread !== undefined) return this.#thread;
    const thread = this.#start();
    this.#thread = thread;
    thread.catch(() => {
      if (this.#thread === thread) this.#thread = undefined;
    });
    return thread;
  }

  /** It does what it was asked for before it goes. */
  #endThread(): void {
    clearTimeout(this.#rest);
    const thread = this.#thread;
    this.#thread = undefined;
    const ended = thread?.then((started) => started.close()).catch(() => undefined);
    this.#ending = Promise.all([this.#ending, ended]);
  }
}
