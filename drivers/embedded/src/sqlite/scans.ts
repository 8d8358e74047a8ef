import { MicroError } from "@microts/core";
import type { Row, Statement } from "./protocol.ts";
import type { DatabaseThread } from "./thread.ts";

/** More at once would each hold back the log. */
const maxScans = 4;
/** One that nobody reads on is given up after so long: until then the log can't begin anew. */
const idleMs = 60_000;

/** Queries with more rows than memory should hold, each on a thread of its own. */
export class Scans {
  readonly #start: () => Promise<DatabaseThread>;
  readonly #threads = new Set<DatabaseThread>();
  #starting = 0;
  #isClosed = false;

  constructor(start: () => Promise<DatabaseThread>) {
    this.#start = start;
  }

  /** The rows in parts of some hundred KiB, of what was committed when the first was asked for. */
  async *run({ sql, params }: Statement, signal: AbortSignal): AsyncGenerator<Row[], void, undefined> {
    const thread = await this.#thread();
    let given = false;
    const giveUp = () => {
      given = true;
      void thread.close();
    };
    try {
      await thread.ask({ kind: "scan", sql, params });
      for (let isLast = false; !isLast; ) {
        signal.throwIfAborted();
        if (given) throw MicroError.timeout("store", `nobody read on for ${idleMs / 1000} s: the scan was given up`);
        const reply = await thread.ask({ kind: "next" });
        if (!("rows" in reply)) throw MicroError.internal("store", "the database thread gave no answer");
        isLast = reply.isLast;
        const timer = setTimeout(giveUp, idleMs).unref();
        yield reply.rows;
        clearTimeout(timer);
      }
    } finally {
      this.#threads.delete(thread);
      await thread.close();
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    while (this.#starting > 0) await new Promise((resolve) => setImmediate(resolve));
    await Promise.all([...this.#threads].map((thread) => thread.close()));
  }

  async #thread(): Promise<DatabaseThread> {
    if (this.#isClosed) throw MicroError.unavailable("store", "the database is closed");
    if (this.#threads.size + this.#starting >= maxScans)
      throw MicroError.unavailable("store", `${maxScans} scans are running, which is the limit: try again later`);
    this.#starting++;
    try {
      const thread = await this.#start();
      this.#threads.add(thread);
      return thread;
    } finally {
      this.#starting--;
    }
  }
}
