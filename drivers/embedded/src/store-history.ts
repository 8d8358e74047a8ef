import type { EmbeddedDatabase } from "./sqlite/index.ts";

export interface HistoryLimits {
  /** Superseded versions are kept at least so long, unless one of the other limits is met. */
  readonly keepMs: number;
  /** No more than so many changes are kept. */
  readonly keepChanges: number;
  /** No more than about so many bytes of values are kept besides the current ones. */
  readonly keepBytes: number;
}

/** Ten minutes, 100,000 changes, 64 MiB. */
export const defaultHistory: HistoryLimits = {
  keepMs: 10 * 60_000,
  keepChanges: 100_000,
  keepBytes: 64 * 1024 * 1024,
};

/** How far the store had come at some time. */
interface Mark {
  readonly at: number;
  readonly revision: number;
  /** Written since the mark before. */
  readonly bytes: number;
}

/** So many changes are gone through in one transaction, so that writers aren't held up. */
const changesAtOnce = 1_000;
const stateSql = "SELECT forgotten, (SELECT coalesce(max(revision), 0) FROM versions) FROM store_history";
const between = "revision > ? AND revision <= ?";
const supersededSql = `DELETE FROM versions WHERE revision IN (SELECT previous FROM versions WHERE ${between} AND previous IS NOT NULL)`;
const deletedSql = `DELETE FROM versions WHERE ${between} AND value IS NULL`;
const forgottenSql = "UPDATE store_history SET forgotten = max(forgotten, ?)";

/** What the store was before: kept for a while for those who watch, then taken off the disk. */
export class StoreHistory {
  readonly #database: EmbeddedDatabase;
  readonly #limits: HistoryLimits;
  readonly #marks: Mark[] = [];
  #bytes = 0;

  constructor(database: EmbeddedDatabase, limits: HistoryLimits) {
    this.#database = database;
    this.#limits = limits;
  }

  /** Takes note of a value of so many bytes; true when it is time to forget. */
  wrote(bytes: number): boolean {
    this.#bytes += bytes;
    return this.#bytes > this.#limits.keepBytes / 4;
  }

  /** Takes off the disk what the limits allow to. Each time it is called counts as one step of its own memory. */
  async forget(signal: AbortSignal): Promise<void> {
    const [row] = await this.#database.read(stateSql, [], signal);
    const [forgotten = 0, newest = 0] = (row ?? []).map(Number);
    this.#marks.push({ at: performance.now(), revision: newest, bytes: this.#bytes });
    this.#bytes = 0;
    // The newest stays, so that no revision is given twice.
    const end = Math.min(Math.max(this.#endByMarks(), newest - this.#limits.keepChanges), newest - 1);
    for (let from = forgotten; from < end; ) {
      const to = Math.min(from + changesAtOnce, end);
      const job = [
        { sql: supersededSql, params: [from, to] },
        { sql: deletedSql, params: [from, to] },
        { sql: forgottenSql, params: [to] },
      ];
      await this.#database.write(job, signal);
      from = to;
    }
  }

  /** The revision up to which time and bytes allow to forget. */
  #endByMarks(): number {
    const old = performance.now() - this.#limits.keepMs;
    let bytes = 0;
    const kept = this.#marks.findLastIndex((mark) => {
      bytes += mark.bytes;
      return mark.at <= old || bytes > this.#limits.keepBytes;
    });
    if (kept < 0) return 0;
    this.#marks.splice(0, kept);
    return this.#marks[0]?.revision ?? 0;
  }
}
