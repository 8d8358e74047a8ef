import {
  type EventPage,
  type PageRest,
  PageWriter,
  type StreamEvent,
  type TopicSettings,
} from "@microts/blocks/events";
import type { EmbeddedDatabase, Row, Statement } from "../sqlite/index.ts";
import { decodeBody, goneBytes, recordsOf } from "./chunk.ts";
import { PageBuilder, type PageOptions } from "./page.ts";

const blob = "CAST(? AS BLOB)";
const topicIs = `namespace = ${blob} AND name = ${blob}`;
const createSql = `INSERT INTO topics (namespace, name) VALUES (${blob}, ${blob}) ON CONFLICT DO NOTHING`;
/** With where the oldest chunk begins and ends, and where the newest one ends. */
const openSql = `SELECT id, next_offset, first_offset, bytes, peak_at, settings,
    (SELECT first_offset FROM event_chunks WHERE topic_id = topics.id ORDER BY first_offset LIMIT 1),
    (SELECT first_offset + count FROM event_chunks WHERE topic_id = topics.id ORDER BY first_offset LIMIT 1),
    (SELECT first_offset + count FROM event_chunks WHERE topic_id = topics.id ORDER BY first_offset DESC LIMIT 1)
  FROM topics WHERE ${topicIs}`;
const insertSql = `INSERT INTO event_chunks (topic_id, first_offset, count, stored_at, latest_at, peak_at, next_expiry, data)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?)`;
const advanceSql = "UPDATE topics SET next_offset = ?, bytes = bytes + ?, peak_at = ? WHERE id = ?";
const rememberSql = `INSERT INTO event_ids (topic_id, id, offset, until) SELECT ?, value ->> 0, value ->> 1, ? FROM json_each(?) WHERE true
  ON CONFLICT DO UPDATE SET offset = excluded.offset, until = excluded.until`;
const knownSql =
  "SELECT id, offset FROM event_ids WHERE topic_id = ? AND until > ? AND id IN (SELECT value FROM json_each(?))";
/** No namespace has the empty name: nobody finds it there but who frees its space. Its number may not be given away before that. */
const dropSql = `UPDATE topics SET namespace = CAST('' AS BLOB), name = CAST(CAST(id AS TEXT) AS BLOB), settings = NULL WHERE id = ? RETURNING 1`;
const dropUnusedSql = `DELETE FROM topics WHERE id = ?1 AND next_offset = 0 AND settings IS NULL
  AND NOT EXISTS (SELECT 1 FROM event_chunks WHERE topic_id = ?1) AND NOT EXISTS (SELECT 1 FROM event_groups WHERE topic_id = ?1) RETURNING 1`;
const configureSql = "UPDATE topics SET settings = ? WHERE id = ?";
const chunkAfter = "(SELECT MIN(first_offset) FROM event_chunks WHERE topic_id = ?1 AND first_offset >";
const liveEvents = `iif(length(data) = ${goneBytes}, 0, count)`;
/**
 * From chunk to chunk until there are enough bytes, or events as far as can be told without reading them: what lies beyond costs nothing,
 * however long the topic is. The sizes are known without reading the data.
 */
const readSql = `WITH RECURSIVE page (row, first, bytes, events) AS (
    SELECT rowid, first_offset, length(data), iif(first_offset + count > ?2, ${liveEvents} - MAX(0, ?2 - first_offset), 0)
    FROM event_chunks WHERE topic_id = ?1 AND first_offset = IFNULL(
      (SELECT MAX(first_offset) FROM event_chunks WHERE topic_id = ?1 AND first_offset <= ?2), ${chunkAfter} ?2))
    UNION ALL
    SELECT e.rowid, e.first_offset, bytes + length(data), events + ${liveEvents}
    FROM page CROSS JOIN event_chunks e ON e.topic_id = ?1 AND e.first_offset = ${chunkAfter} page.first)
    WHERE bytes < ?5 AND events < ?4 AND +e.first_offset < ?3
    LIMIT ?6
  ) SELECT first_offset, count, data FROM page CROSS JOIN event_chunks e ON e.rowid = page.row
    WHERE first_offset + count > ?2 AND first_offset < ?3 ORDER BY first_offset`;
const chunkAtSql = `SELECT first_offset, count, peak_at FROM event_chunks WHERE topic_id = ? AND first_offset <= ?
  ORDER BY first_offset DESC LIMIT 1`;
const fromTimeSql = `SELECT first_offset, count, data FROM event_chunks WHERE topic_id = ? AND first_offset >= ? AND latest_at >= ?
  ORDER BY first_offset LIMIT 1`;

/** A chunk that goes to disk, with what is asked of it without decoding. */
export interface NewChunk {
  readonly first: number;
  readonly count: number;
  readonly data: Uint8Array;
  /** The latest time of its events. */
  readonly latestAt: number;
  /** The soonest expiry; undefined when none expires. */
  readonly nextExpiry: number | undefined;
}

/** The ids that publishers gave to events, and until when they are remembered. */
export interface GivenIds {
  readonly ids: readonly (readonly [id: string, offset: number])[];
  readonly until: number;
}

interface Range {
  readonly from: number;
  readonly until: number;
  readonly limit: number;
  readonly maxBytes: number;
}

/** One topic of one namespace in the database. What this process knows of its ends is what was acknowledged. */
export class TopicLog {
  readonly namespace: string;
  readonly topic: string;
  readonly id: number;
  /** The offset of the next event. */
  next = 0;
  /** The first offset that is kept. */
  first = 0;
  bytes = 0;
  settings: TopicSettings = {};
  /** Whether the topic was deleted: what is missing isn't lost. */
  isGone = false;
  /** The latest time of all events so far; it never falls, so that a time is found by halving. */
  #peakAt = 0;
  readonly #database: EmbeddedDatabase;

  private constructor(database: EmbeddedDatabase, namespace: string, topic: string, id: number) {
    this.#database = database;
    this.namespace = namespace;
    this.topic = topic;
    this.id = id;
  }

  /** Undefined when there is no such topic and none is to be made. */
  static async open(
    database: EmbeddedDatabase,
    namespace: string,
    topic: string,
    { create }: { readonly create: boolean },
  ): Promise<TopicLog | undefined> {
    const never = new AbortController().signal;
    const key = [namespace, topic];
    let row = await database.readOne(openSql, key, never);
    if (row === undefined && create) {
      const job = [
        { sql: createSql, params: key },
        { sql: openSql, params: key },
      ];
      row = (await database.write(job, never))[1]?.[0];
    }
    if (row === undefined) return undefined;
    const log = new TopicLog(database, namespace, topic, Number(row[0]));
    log.#set(row);
    return log;
  }

  /** Brings what is known of the topic in line with the disk. */
  async reload(): Promise<void> {
    const row = await this.#database.readOne(openSql, [this.namespace, this.topic], new AbortController().signal);
    if (row !== undefined) this.#set(row);
  }

  #set([, next, first, bytes, peakAt, settings, oldest, oldestEnd, newestEnd]: Row): void {
    // These two numbers have no checksum: damaged, they must not hide events that are there.
    this.next = Math.max(Number(next), Number(newestEnd ?? 0));
    this.first = Number(first) >= Number(oldestEnd ?? Number.POSITIVE_INFINITY) ? Number(oldest) : Number(first);
    this.bytes = Number(bytes);
    this.#peakAt = Number(peakAt);
    this.settings = typeof settings === "string" ? JSON.parse(settings) : {};
  }

  /** Resolves when the chunks, which follow `next`, are on disk. After a failure the topic has to be reloaded: what is on disk isn't known. */
  async append(chunks: readonly NewChunk[], given: GivenIds, storedAt: number): Promise<void> {
    let peak = this.#peakAt;
    let bytes = 0;
    let next = this.next;
    const job: Statement[] = chunks.map(({ first, count, data, latestAt, nextExpiry = null }) => {
      peak = Math.max(peak, latestAt);
      bytes += data.length;
      next = first + count;
      return { sql: insertSql, params: [this.id, first, count, storedAt, latestAt, peak, nextExpiry, data] };
    });
    job.push({ sql: advanceSql, params: [next, bytes, peak, this.id] });
    if (given.ids.length > 0) job.push({ sql: rememberSql, params: [this.id, given.until, JSON.stringify(given.ids)] });
    await this.#database.write(job, new AbortController().signal);
    this.next = next;
    this.bytes += bytes;
    this.#peakAt = peak;
  }

  /** Which of these ids are remembered, and the offsets of their events. */
  async published(ids: readonly string[], now: number, signal: AbortSignal): Promise<Map<string, number>> {
    const rows = await this.#database.read(knownSql, [this.id, now, JSON.stringify(ids)], signal);
    return new Map(rows.map(([id, offset]) => [String(id), Number(offset)]));
  }

  async configure(settings: TopicSettings, signal: AbortSignal): Promise<void> {
    await this.#database.write([{ sql: configureSql, params: [JSON.stringify(settings), this.id] }], signal);
    this.settings = settings;
  }

  /** Deletes the topic, or does so only if it never had an event, a limit or a group that is kept. Resolves with whether it is gone. */
  async drop({ unusedOnly }: { readonly unusedOnly: boolean }): Promise<boolean> {
    const statement = { sql: unusedOnly ? dropUnusedSql : dropSql, params: [this.id] };
    const [rows = []] = await this.#database.write([statement], new AbortController().signal);
    if (rows.length === 0) return false;
    this.isGone = true;
    // Readers that are under way find nothing from here on, instead of missing what goes.
    this.first = this.next;
    return true;
  }

  /** Live events of a range, in order. */
  async read(range: Range, now: number, signal: AbortSignal): Promise<EventPage> {
    const events: StreamEvent[] = [];
    const rest = await this.#page(range, now, signal, () => (offset, body, { at, metadata, ...parts }) => {
      const id = body.toString("utf8", parts.idStart, parts.idEnd);
      const payload = body.subarray(parts.payloadStart);
      events.push({ id, topic: this.topic, offset, timestamp: new Date(at), metadata, payload });
    });
    return { events, ...rest };
  }

  /** As `read`, for who passes the page on: straight from what is stored, without making events. */
  async readEncoded(range: Range, now: number, signal: AbortSignal): Promise<EventPage> {
    let writer = new PageWriter(this.topic, 64);
    const rest = await this.#page(range, now, signal, (events, bytes) => {
      writer = new PageWriter(this.topic, bytes + events * (this.topic.length + addedBytes));
      return (offset, body, parts) => writer.event(offset, body, parts);
    });
    return writer.page(rest);
  }

  /** `begin` is told about how many events and bytes there are, and returns what is given each event. */
  async #page(
    { from, until, limit, maxBytes }: Range,
    now: number,
    signal: AbortSignal,
    begin: (events: number, bytes: number) => PageOptions["add"],
  ): Promise<PageRest> {
    const end = Math.min(until, this.next);
    let start = Math.max(from, this.first);
    const params = [this.id, start, end, limit, maxBytes, maxChunks];
    const rows = start < end ? await this.#database.read(readSql, params, signal) : [];
    // What was deleted meanwhile is not missing.
    start = Math.max(start, this.first);
    let [events, bytes] = [0, 0];
    for (const [, count, data] of rows) {
      events += Number(count);
      bytes += bytesOf(data).length;
    }
    const page = new PageBuilder({ topicId: this.id, start, end, limit, now, add: begin(events, bytes) });
    for (const [first, count, data] of rows) page.chunk(Number(first), Number(count), bytesOf(data));
    if (rows.length === 0 && start < end) page.missing(end);
    return { ...page.page(), first: this.first, end: this.next };
  }

  /** The offset of the first live event of that time or later; `next` when there is none. */
  async atTime(time: number, now: number, signal: AbortSignal): Promise<number> {
    if (this.#peakAt < time) return this.next;
    let low = this.first;
    let high = this.next;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const row = await this.#database.readOne(chunkAtSql, [this.id, middle], signal);
      const [first, count, peak] = (row ?? [middle, 1, 0]).map(Number) as [number, number, number];
      if (peak < time) low = Math.max(middle + 1, first + count);
      else high = first;
    }
    return this.#inChunkFrom(Math.min(low, high), time, now, signal);
  }

  /** The peak of a chunk may be that of an event which is gone: then a later chunk has the event. */
  async #inChunkFrom(offset: number, time: number, now: number, signal: AbortSignal): Promise<number> {
    for (let at = offset; ; ) {
      const row = await this.#database.readOne(fromTimeSql, [this.id, at, time], signal);
      if (row === undefined) return this.next;
      const first = Number(row[0]);
      const records = recordsOf({ topicId: this.id, first }, Number(row[1]), bytesOf(row[2]));
      const found = records.findIndex((body, i) => {
        const event = body === undefined || first + i < this.first ? undefined : decodeBody(body);
        return event !== undefined && event.at >= time && !(event.expiresAt !== undefined && event.expiresAt <= now);
      });
      if (found >= 0) return first + found;
      at = first + records.length;
    }
  }
}

/** What an event has more as a message than as it is stored, besides its topic. */
const addedBytes = 24;
/** The most chunks that are looked at for one page. */
const maxChunks = 1024;

function bytesOf(value: unknown): Uint8Array {
  return value instanceof Uint8Array ? value : new Uint8Array();
}
