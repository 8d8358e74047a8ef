import { join } from "node:path";
import { type Log, silent } from "@microts/core";
import { Keeper } from "./keeper.ts";
import { Lane } from "./lane.ts";
import { lockDataDirectory } from "./lock.ts";
import type { Job, Role, Row, SqlValue, Statement } from "./protocol.ts";
import { Scans } from "./scans.ts";
import { DatabaseThread } from "./thread.ts";

export interface DatabaseOptions {
  /** Directory of `micro.db`, made and locked for this process; undefined keeps everything in memory. */
  readonly dataDir?: string | undefined;
  /** Is told of damage and of what fails in the background. Default: nobody. */
  readonly log?: Log | undefined;
}

const inMemory = ":memory:";
const maxResultBytes = 64 * 1024 * 1024;
/** Readers beyond the first are started when all stay busy. */
const maxReaders = 2;

/**
 * The one SQLite file of the embedded driver. Writes go to one thread and reads to others, so that neither waits for the other and none of
 * them holds up the event loop. Writes of one turn of the loop, or that come while the thread is busy, become one transaction, and each
 * caller is answered once that is on disk. They take effect in the order in which they were asked for.
 */
export class EmbeddedDatabase implements AsyncDisposable {
  /** The directory it is in; undefined in memory. */
  readonly dataDir: string | undefined;
  readonly #lock: Disposable | undefined;
  readonly #writer: DatabaseThread;
  readonly #reader: DatabaseThread;
  readonly #writes: Lane;
  readonly #reads: Lane;
  readonly #keeper: Keeper | undefined;
  readonly #scans: Scans | undefined;
  #closing: Promise<void> | undefined;

  private constructor(
    { dataDir, log = silent }: DatabaseOptions,
    file: string,
    lock: Disposable | undefined,
    [writer, reader]: readonly [DatabaseThread, DatabaseThread],
  ) {
    this.dataDir = dataDir;
    this.#lock = lock;
    this.#writer = writer;
    this.#reader = reader;
    const more = writer === reader ? {} : { maxThreads: maxReaders, start: () => startThread(file, "reader") };
    this.#reads = new Lane({ kind: "read", thread: reader, ...more });
    const keeper =
      dataDir === undefined ? undefined : new Keeper({ file, writer, log, start: () => startThread(file, "keeper") });
    this.#writes = new Lane({ kind: "write", thread: writer, onDone: (bytes) => keeper?.written(bytes) });
    this.#keeper = keeper;
    if (dataDir !== undefined) this.#scans = new Scans(() => startThread(file, "reader"));
  }

  /** Opens, and creates or migrates as needed. Throws 409 for a directory in use, 412 for a newer file, 500 for a damaged one. */
  static async open(options: DatabaseOptions = {}): Promise<EmbeddedDatabase> {
    const { dataDir } = options;
    const lock = dataDir === undefined ? undefined : lockDataDirectory(dataDir);
    try {
      const file = dataDir === undefined ? inMemory : join(dataDir, "micro.db");
      return new EmbeddedDatabase(options, file, lock, await startThreads(file));
    } catch (error) {
      lock?.[Symbol.dispose]();
      throw error;
    }
  }

  /** Rows of one query, of what was committed when it runs. */
  async read(sql: string, params: readonly SqlValue[], signal: AbortSignal): Promise<Row[]> {
    const [rows] = await this.readAll([{ sql, params }], signal);
    return rows ?? [];
  }

  /** The row of a query that yields one at most. */
  async readOne(sql: string, params: readonly SqlValue[], signal: AbortSignal): Promise<Row | undefined> {
    const [rows] = await this.readAll([{ sql, params, isSingle: true }], signal);
    return rows?.[0];
  }

  /** Rows of several queries that see one state of the database. */
  async readAll(job: Job, signal: AbortSignal): Promise<Row[][]> {
    return (await this.#reads.run(job, signal)) ?? [];
  }

  /**
   * Rows of one query in parts, of one state, however many they are. It has a thread of its own while it is read, and holds back the log: not for what
   * `read` can do. Rejects with 503 when too many run. In memory all rows are read at once.
   */
  async *scan(statement: Statement, signal: AbortSignal): AsyncGenerator<Row[], void, undefined> {
    if (this.#scans === undefined) yield await this.read(statement.sql, statement.params, signal);
    else yield* this.#scans.run(statement, signal);
  }

  /**
   * Runs statements that take effect together or not at all; resolves, with the rows of each, when they are on disk. A signal that aborts
   * before the statements were sent to the thread undoes the call; later it changes nothing.
   */
  async write(job: Job, signal: AbortSignal): Promise<Row[][]> {
    return (await this.writeIf(job, signal)) ?? [];
  }

  /**
   * As `write`, when every statement marked `isCondition` yields a row; otherwise nothing is done and it resolves with undefined. Nothing comes
   * between a condition and what follows it. Conditions cost least before the statements that write.
   */
  writeIf(job: Job, signal: AbortSignal): Promise<Row[][] | undefined> {
    return this.#writes.run(job, signal);
  }

  /** Adds to what is checked a query that finds what must not be, and says in its first column what that is. */
  addCheck(query: string): void {
    this.#keeper?.addCheck(query);
  }

  /** What is wrong with the file; empty when nothing is. Runs by itself after every start, and tells the log. */
  async check(): Promise<readonly string[]> {
    return (await this.#keeper?.check()) ?? [];
  }

  /** Finishes what was asked for, then closes the file and gives the directory free. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    await this.#closing;
  }

  async #close(): Promise<void> {
    try {
      const others = [this.#reads.close(), this.#writes.close(), this.#keeper?.close(), this.#scans?.close()];
      await Promise.all(others);
      if (this.#reader !== this.#writer) await this.#reader.close();
      await this.#writer.close();
    } finally {
      this.#lock?.[Symbol.dispose]();
    }
  }
}

/** The writer and the first reader. What is in memory belongs to one connection. */
async function startThreads(file: string): Promise<readonly [DatabaseThread, DatabaseThread]> {
  const starting = startThread(file, "writer");
  if (file === inMemory) return starting.then((writer) => [writer, writer]);
  // The writer checks and migrates before anybody reads.
  const [writer, reader] = await Promise.allSettled([starting, startThread(file, "reader", starting)]);
  if (writer.status === "rejected") throw writer.reason;
  if (reader.status === "fulfilled") return [writer.value, reader.value];
  await writer.value.close();
  throw reader.reason;
}

function startThread(file: string, role: Role, mayOpen?: Promise<unknown>): Promise<DatabaseThread> {
  return DatabaseThread.start({ file, role, maxResultBytes }, mayOpen);
}
