import { randomUUID } from "node:crypto";
import type { ConsumeOptions, NewEvent, StreamEvent } from "@microts/blocks/events";
import type { EmbeddedDatabase, Row, Statement } from "./sqlite/index.ts";

const blob = "CAST(? AS BLOB)";
const topicId = `(SELECT id FROM topics WHERE namespace = ${blob} AND name = ${blob})`;
const groupIs = `topic_id = ${topicId} AND name = ${blob}`;
const topicSql = `INSERT INTO topics (namespace, name) VALUES (${blob}, ${blob}) ON CONFLICT DO NOTHING`;
const insertSql = `INSERT INTO events (topic_id, position, id, at, metadata, payload, expires_at)
  SELECT id, next_position, ?, ?, ?, ?, ? FROM topics WHERE namespace = ${blob} AND name = ${blob} RETURNING position`;
const advanceSql = `UPDATE topics SET next_position = next_position + 1 WHERE namespace = ${blob} AND name = ${blob}`;
/** The lengths are known without reading the payloads, so that the ones beyond the limit cost nothing. */
const readSql = `SELECT e.position, e.id, e.at, e.metadata, e.payload FROM (
    SELECT row, SUM(size) OVER (ORDER BY position) - size AS before FROM (
      SELECT rowid AS row, position, length(payload) AS size FROM events
      WHERE topic_id = ${topicId} AND position >= ? AND (expires_at IS NULL OR expires_at > ?) ORDER BY position LIMIT ?)
  ) JOIN events e ON e.rowid = row WHERE before < ? ORDER BY e.position`;
const startSql = {
  latest: "next_position",
  earliest: "0",
  date: "COALESCE((SELECT MIN(position) FROM events WHERE topic_id = topics.id AND at >= ?), next_position)",
};
const groupSql = `SELECT position, done FROM event_groups WHERE ${groupIs}`;
const saveSql = `UPDATE event_groups SET position = ?, done = ?, used_at = ? WHERE ${groupIs}`;
const sweepEventsSql = "DELETE FROM events WHERE rowid IN (SELECT rowid FROM events WHERE expires_at <= ? LIMIT 1000)";
const uuid = "[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]-*-*-*-*";
const sweepGroupsSql = `DELETE FROM event_groups WHERE used_at < ? OR (used_at < ? AND CAST(name AS TEXT) GLOB '${uuid}' AND length(name) = 36)`;

const never = new AbortController().signal;
const dayMs = 24 * 3_600_000;
const idleDays = 30;

/** A stretch of positions, ends included. */
export type Range = readonly [first: number, last: number];

/** How far a group has come: everything before `position` is done, and so are the stretches in `done`. */
export interface Progress {
  readonly position: number;
  readonly done: readonly Range[];
}

/** One topic of one namespace in the database. */
export class EventLog {
  readonly namespace: string;
  readonly topic: string;
  readonly #database: EmbeddedDatabase;

  constructor(database: EmbeddedDatabase, namespace: string, topic: string) {
    this.#database = database;
    this.namespace = namespace;
    this.topic = topic;
  }

  /** Resolves with the event when it is on disk. */
  async append({ timestamp, metadata, payload, expiresAt }: NewEvent, signal: AbortSignal): Promise<StreamEvent> {
    const key = [this.namespace, this.topic];
    const id = randomUUID();
    const values = [id, timestamp.getTime(), JSON.stringify(metadata), exact(payload), expiresAt?.getTime() ?? null];
    const job = [
      { sql: topicSql, params: key },
      { sql: insertSql, params: [...values, ...key] },
      { sql: advanceSql, params: key },
    ];
    const [, inserted] = await this.#database.write(job, signal);
    return { id, topic: this.topic, offset: Number(inserted?.[0]?.[0]), timestamp, metadata, payload };
  }

  /** Live events from a position on: up to `limit`, fewer when they exceed `maxBytes`, but at least one if there is one. */
  async read(from: number, limit: number, maxBytes: number, signal: AbortSignal): Promise<StreamEvent[]> {
    const params = [this.namespace, this.topic, from, Date.now(), limit, maxBytes];
    return (await this.#database.read(readSql, params, signal)).map((row) => this.#event(row));
  }

  /** Where the group is, beginning at `from` when it has no position yet, and where the topic ends. The group "" leaves no trace. */
  async join(group: string, from: ConsumeOptions["from"]): Promise<Progress & { readonly end: number }> {
    const start = startSql[from instanceof Date ? "date" : from];
    const key = [this.namespace, this.topic];
    const date = from instanceof Date ? [from.getTime()] : [];
    const ends = `SELECT next_position, ${start} FROM topics WHERE namespace = ${blob} AND name = ${blob}`;
    const job: Statement[] = [
      { sql: topicSql, params: key },
      { sql: ends, params: [...date, ...key] },
    ];
    if (group !== "") {
      const insert = `INSERT INTO event_groups (topic_id, name, position, done, used_at) SELECT id, ${blob}, ${start}, '[]', ? FROM topics
        WHERE namespace = ${blob} AND name = ${blob} ON CONFLICT DO UPDATE SET used_at = excluded.used_at`;
      job.push(
        { sql: insert, params: [group, ...date, Date.now(), ...key] },
        { sql: groupSql, params: [...key, group] },
      );
    }
    const [, range, , stored] = await this.#database.write(job, never);
    const [end, first] = range?.[0] ?? [];
    const [position, done] = stored?.[0] ?? [first, "[]"];
    return { position: Number(position), done: JSON.parse(String(done)), end: Number(end) };
  }

  /** Resolves when the group's progress is on disk. */
  async save(group: string, { position, done }: Progress): Promise<void> {
    const params = [position, JSON.stringify(done), Date.now(), this.namespace, this.topic, group];
    await this.#database.write([{ sql: saveSql, params }], never);
  }

  #event([position, id, at, metadata, payload]: Row): StreamEvent {
    return {
      id: String(id),
      topic: this.topic,
      offset: Number(position),
      timestamp: new Date(Number(at)),
      metadata: JSON.parse(String(metadata)),
      payload: payload instanceof Uint8Array ? payload : new Uint8Array(),
    };
  }
}

/** Deletes what has expired, and groups that nobody used for 30 days; those with a random UUID for a name, which are for one use, after one. */
export async function sweepEvents(database: EmbeddedDatabase): Promise<void> {
  const now = Date.now();
  const groups = { sql: sweepGroupsSql, params: [now - idleDays * dayMs, now - dayMs] };
  await database.write([{ sql: sweepEventsSql, params: [now] }, groups], never);
}

/** Between threads a view takes the whole buffer behind it along. */
function exact(value: Uint8Array): Uint8Array {
  return value.byteLength === value.buffer.byteLength ? value : Uint8Array.from(value);
}
