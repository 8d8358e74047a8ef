import type { EmbeddedDatabase, Row } from "../sqlite/index.ts";
import { EventProgress, type StoredProgress } from "./progress.ts";

const blob = "CAST(? AS BLOB)";
const joinSql = `INSERT INTO event_groups (topic_id, name, position, runs, tried, used_at) VALUES (?, ${blob}, ?, '[]', '[]', ?)
  ON CONFLICT DO UPDATE SET used_at = excluded.used_at RETURNING position, runs, tried`;
const saveSql = `UPDATE event_groups SET position = ?, runs = ?, tried = ?, used_at = ? WHERE topic_id = ? AND name = ${blob}`;
const listSql = `SELECT CAST(name AS TEXT), position, runs, tried, used_at FROM event_groups WHERE topic_id = ? ORDER BY name`;
const deleteSql = `DELETE FROM event_groups WHERE topic_id = ? AND name = ${blob} RETURNING 1`;

const never = new AbortController().signal;

/** What is kept of a group: its progress, and how often it tried what it isn't done with. */
export interface GroupState {
  readonly progress: StoredProgress;
  readonly tried: ReadonlyMap<number, number>;
}

export interface StoredGroup extends GroupState {
  readonly name: string;
  readonly usedAt: number;
}

/** The groups of one topic in the database. */
export class GroupRecords {
  readonly #database: EmbeddedDatabase;
  readonly #topicId: number;

  constructor(database: EmbeddedDatabase, topicId: number) {
    this.#database = database;
    this.#topicId = topicId;
  }

  /** The group as it was left, or a new one at that position. */
  async join(name: string, position: number, now: number): Promise<GroupState> {
    const [rows] = await this.#database.write([{ sql: joinSql, params: [this.#topicId, name, position, now] }], never);
    const [row] = rows ?? [];
    return row === undefined ? { progress: { position, runs: [] }, tried: new Map() } : stateOf(row);
  }

  /** Resolves when it is on disk. */
  async save(name: string, { progress, tried }: GroupState, now: number): Promise<void> {
    const { position, runs } = progress;
    const params = [position, JSON.stringify(runs), JSON.stringify([...tried]), now, this.#topicId, name];
    await this.#database.write([{ sql: saveSql, params }], never);
  }

  /** Resolves with whether there was one, when it is gone from disk. */
  async delete(name: string, signal: AbortSignal): Promise<boolean> {
    const [rows] = await this.#database.write([{ sql: deleteSql, params: [this.#topicId, name] }], signal);
    return rows !== undefined && rows.length > 0;
  }

  async list(signal: AbortSignal): Promise<StoredGroup[]> {
    const rows = await this.#database.read(listSql, [this.#topicId], signal);
    return rows.map(([name, position, runs, tried, usedAt]) => ({
      name: String(name),
      usedAt: Number(usedAt),
      ...stateOf([position ?? 0, runs ?? "[]", tried ?? "[]"]),
    }));
  }
}

function stateOf([position, runs, tried]: Row): GroupState {
  return {
    progress: { position: Number(position), runs: JSON.parse(String(runs)) },
    tried: new Map(JSON.parse(String(tried)) as [number, number][]),
  };
}

/** How many events before `end` a stored group is not done with. */
export function lagOf({ progress }: GroupState, end: number): number {
  return new EventProgress(progress).left(end);
}
