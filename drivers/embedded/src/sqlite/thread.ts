import { getCompileCacheDir } from "node:module";
import { dirname } from "node:path";
import { Worker } from "node:worker_threads";
import { MicroError } from "@microts/core";
import { errorOfFailure } from "./failure.ts";
import { packJobs, unpackOutcomes } from "./packed.ts";
import type { Definition, Job, Opened, Outcome, Reply, Request, Statement, ThreadData } from "./protocol.ts";

/** So many texts of statements are known to a thread at most. */
const maxStatements = 1_000;

/** One thread with its own connection to the database. It does what it is asked to in order. */
export class DatabaseThread {
  readonly file: string;
  readonly #worker: Worker;
  readonly #asked: PromiseWithResolvers<Reply>[] = [];
  /** The number of a statement by its text: of those that are nothing special, of conditions, of inserts, of inserts that are ended later, of single rows. */
  readonly #plain = new Map<string, number>();
  readonly #conditions = new Map<string, number>();
  readonly #inserts = new Map<string, number>();
  readonly #begun = new Map<string, number>();
  readonly #singles = new Map<string, number>();
  #statements = 0;
  #ended: MicroError | undefined;

  private constructor(file: string, worker: Worker) {
    this.file = file;
    this.#worker = worker;
    worker.on("message", (reply: Reply) => this.#take(reply));
    worker.on("error", (error: unknown) =>
      this.#end(`the database thread failed: ${error instanceof Error ? error.message : error}`),
    );
    worker.on("exit", () => this.#end("the database thread ended"));
    worker.unref();
  }

  /** Resolves when its connection is open. The thread starts at once, and opens the file when `mayOpen` resolves. */
  static async start(data: ThreadData, mayOpen?: Promise<unknown>): Promise<DatabaseThread> {
    const worker = startWorker(data);
    try {
      const first = firstMessage(worker);
      await Promise.race([mayOpen, first]);
      worker.postMessage("open");
      const opened = await first;
      if ("failure" in opened) throw errorOfFailure(opened.failure, data.file);
      return new DatabaseThread(data.file, worker);
    } catch (error) {
      await worker.terminate();
      throw error;
    }
  }

  /** What became of each job. Rejects when the thread is gone. */
  async run(kind: "read" | "write", jobs: readonly Job[]): Promise<readonly Outcome[]> {
    const forget = this.#statements > maxStatements;
    if (forget) this.#forget();
    const defined: Definition[] = [];
    const packed = packJobs(jobs, (statement) => this.#number(statement, defined));
    const moved = packed.bytes.length > 0 ? [packed.bytes.buffer] : [];
    const reply = await this.ask({ kind, defined, forget, jobs: packed }, moved);
    return "outcomes" in reply ? unpackOutcomes(reply.outcomes) : [];
  }

  /** Rejects with what failed, or because the thread is gone. */
  async ask(request: Request, moved: readonly ArrayBuffer[] = []): Promise<Exclude<Reply, { failure: unknown }>> {
    if (this.#ended !== undefined) throw this.#ended;
    const asked = Promise.withResolvers<Reply>();
    if (this.#asked.push(asked) === 1) this.#worker.ref();
    this.#worker.postMessage(request, moved);
    const reply = await asked.promise;
    if ("failure" in reply) throw errorOfFailure(reply.failure, this.file);
    return reply;
  }

  /** Does what it was asked for, then closes its connection. */
  async close(): Promise<void> {
    if (this.#ended !== undefined) return;
    const exited = new Promise((resolve) => this.#worker.once("exit", resolve));
    await this.ask({ kind: "close" });
    this.#worker.ref();
    await exited;
  }

  #number(statement: Statement, defined: Definition[]): number {
    const { sql, isCondition = false, isInsert = false, isSingle = false, endedBy } = statement;
    const numbers = this.#numbersOf(statement);
    const known = numbers.get(sql);
    if (known !== undefined) return known;
    const number = this.#statements++;
    numbers.set(sql, number);
    defined.push({ sql, isCondition, isInsert, isSingle, endedBy });
    return number;
  }

  #numbersOf({ isCondition, isInsert, isSingle, endedBy }: Statement): Map<string, number> {
    if (endedBy !== undefined) return this.#begun;
    if (isCondition) return this.#conditions;
    if (isInsert) return this.#inserts;
    return isSingle ? this.#singles : this.#plain;
  }

  #forget(): void {
    for (const numbers of [this.#plain, this.#conditions, this.#inserts, this.#begun, this.#singles]) numbers.clear();
    this.#statements = 0;
  }

  #take(reply: Reply): void {
    const asked = this.#asked.shift();
    if (this.#asked.length === 0) this.#worker.unref();
    asked?.resolve(reply);
  }

  #end(detail: string): void {
    this.#ended ??= MicroError.unavailable("store", `${detail}. Restart the server`);
    for (const { reject } of this.#asked.splice(0)) reject(this.#ended);
  }
}

function startWorker(data: ThreadData): Worker {
  // Sources run as they are; a package has only what was built from them.
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  return new Worker(new URL(`./worker.${extension}`, import.meta.url), {
    workerData: data,
    execArgv: [],
    env: compileCache(),
    name: `micro database ${data.role}`,
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

/** A thread has a cache of compiled code only when its own environment names one; without it each strips and compiles anew. */
function compileCache(): Record<string, string> {
  const folder = getCompileCacheDir();
  return folder === undefined ? {} : { NODE_COMPILE_CACHE: dirname(folder) };
}
