import { type Log, MicroError } from "@microts/core";
import type { Now } from "../clock.ts";
import type { EmbeddedDatabase, Row, SqlValue } from "../sqlite/index.ts";
import { decodeBody, encodeChunk, goneBytes, recordsOf, type StoredEvent } from "./chunk.ts";
import type { TopicLog } from "./topic-log.ts";

const oldestSql = `SELECT first_offset, count, stored_at, length(data), (SELECT bytes FROM topics WHERE id = ?) FROM event_chunks
  WHERE topic_id = ? ORDER BY first_offset LIMIT ?`;
const deleteSql = "DELETE FROM event_chunks WHERE topic_id = ? AND first_offset < ?";
const cutSql = "UPDATE topics SET first_offset = ?, bytes = bytes - ? WHERE id = ?";
const expiredSql = "SELECT topic_id, first_offset, count, data FROM event_chunks WHERE next_expiry <= ? LIMIT ?";
/** Before the chunk is rewritten, and only if it is still there: others cut and rewrite too. */
const shrinkSql = `UPDATE topics SET bytes = bytes - e.size + ? FROM
  (SELECT topic_id, length(data) AS size FROM event_chunks WHERE topic_id = ? AND first_offset = ?) e WHERE id = e.topic_id`;
const rewriteSql = "UPDATE event_chunks SET data = ?, next_expiry = ? WHERE topic_id = ? AND first_offset = ?";
/** Topics with more than they may keep, and those of which events were deleted that were perhaps the oldest. */
const dueSql = `SELECT CAST(namespace AS TEXT), CAST(name AS TEXT) FROM topics t WHERE namespace <> CAST('' AS BLOB) AND (settings IS NOT NULL AND (
    next_offset - first_offset > settings ->> 'maxEvents' OR bytes > settings ->> 'maxBytes'
    OR (SELECT stored_at FROM event_chunks WHERE topic_id = t.id ORDER BY first_offset LIMIT 1) <= ? - (settings ->> 'maxAgeMs'))
  OR id IN (SELECT value FROM json_each(?)))`;
const forgetIdsSql = `DELETE FROM event_ids WHERE (topic_id, id) IN (SELECT topic_id, id FROM event_ids WHERE until <= ? LIMIT ?) RETURNING 1`;
const goneSql = "SELECT id FROM topics WHERE namespace = CAST('' AS BLOB)";
const freeSql = `DELETE FROM event_chunks WHERE (topic_id, first_offset) IN
  (SELECT topic_id, first_offset FROM event_chunks WHERE topic_id = ? ORDER BY first_offset LIMIT ?) RETURNING 1`;
const freeIdsSql =
  "DELETE FROM event_ids WHERE (topic_id, id) IN (SELECT topic_id, id FROM event_ids WHERE topic_id = ? LIMIT ?) RETURNING 1";
const freeGroupsSql = "DELETE FROM event_groups WHERE topic_id = ?";
const forgetTopicSql = "DELETE FROM topics WHERE id = ?";
const uuid = "[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]-*-*-*-*";
const forgetGroupsSql = `DELETE FROM event_groups WHERE used_at < ? OR (used_at < ? AND CAST(name AS TEXT) GLOB '${uuid}' AND length(name) = 36)`;

/** So much is deleted in one transaction, so that it doesn't hold up publishers. */
const chunksAtOnce = 64;
const idsAtOnce = 1000;
const dayMs = 24 * 3_600_000;
const idleDays = 30;
/** A topic is cut at once when it exceeds a limit by this share, and else at the next sweep. */
const slack = 0.1;
const never = new AbortController().signal;

/** Deletes what topics no longer keep, from disk. */
export class Retention {
  readonly #database: EmbeddedDatabase;
  readonly #log: Log;
  readonly #now: Now;
  /** The cuts that run, by topic. */
  readonly #cutting = new Map<TopicLog, Promise<void>>();
  /** Sweeps and freeing, one after the other: what a sweep has read of a topic must not be written to the next one of its number. */
  #running: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(database: EmbeddedDatabase, log: Log, now: Now) {
    this.#database = database;
    this.#log = log;
    this.#now = now;
  }

  /** More was published: cuts the topic when that made it much larger than it may be. */
  appended(log: TopicLog): void {
    const { maxBytes = Number.POSITIVE_INFINITY, maxEvents = Number.POSITIVE_INFINITY } = log.settings;
    if (log.bytes <= maxBytes * (1 + slack) && log.next - log.first <= maxEvents * (1 + slack)) return;
    this.trim(log).catch((error: unknown) =>
      this.#log.warn("a topic could not be cut, trying again in a minute", {
        topic: log.topic,
        error: MicroError.from(error, "events"),
      }),
    );
  }

  /** Resolves when nothing is left of what exceeds the topic's limits, apart from a part of its oldest chunk. */
  trim(log: TopicLog): Promise<void> {
    const running = this.#cutting.get(log);
    if (running !== undefined) return running;
    const cutting = this.#trim(log).finally(() => this.#cutting.delete(log));
    this.#cutting.set(log, cutting);
    return cutting;
  }

  /** Resolves when nothing is being cut or freed. What is left of deleted topics goes after the next start. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.allSettled([this.#running, ...this.#cutting.values()]);
  }

  /** Gives the space of deleted topics free, in parts; what fails is tried again by the next sweep. */
  free(): Promise<void> {
    return this.#oneByOne(() => this.#free());
  }

  /**
   * Deletes what is past its time: single events, what topics no longer keep, ids, and groups that nobody used for 30 days; those with a random
   * UUID for a name, which are for one use, after one.
   */
  async sweep(open: (namespace: string, topic: string) => Promise<TopicLog | undefined>): Promise<void> {
    await this.#oneByOne(() => this.#sweep(open));
  }

  async #oneByOne(run: () => Promise<void>): Promise<void> {
    const done = this.#running.then(run);
    this.#running = done.catch(() => {});
    await done;
  }

  async #free(): Promise<void> {
    for (const [id = 0] of await this.#database.read(goneSql, [], never)) {
      await this.#inParts(freeSql, id, chunksAtOnce);
      await this.#inParts(freeIdsSql, id, idsAtOnce);
      if (this.#stopped) return;
      const last = [freeGroupsSql, forgetTopicSql].map((sql) => ({ sql, params: [id] }));
      await this.#database.write(last, never);
    }
  }

  async #inParts(sql: string, id: SqlValue, atOnce: number): Promise<void> {
    for (let freed = atOnce; freed === atOnce && !this.#stopped; ) {
      const [rows = []] = await this.#database.write([{ sql, params: [id, atOnce] }], never);
      freed = rows.length;
    }
  }

  async #sweep(open: (namespace: string, topic: string) => Promise<TopicLog | undefined>): Promise<void> {
    const now = this.#now();
    const touched = await this.#deleteExpired(now);
    const due = await this.#database.read(dueSql, [now, JSON.stringify([...touched])], never);
    for (const [namespace, topic] of due) {
      const log = await open(String(namespace), String(topic));
      if (log !== undefined) await this.trim(log);
    }
    await this.#forgetIds(now);
    const groups = { sql: forgetGroupsSql, params: [now - idleDays * dayMs, now - dayMs] };
    await this.#database.write([groups], never);
    await this.#free();
  }

  async #forgetIds(now: number): Promise<void> {
    for (let forgotten = idsAtOnce; forgotten === idsAtOnce; ) {
      const [rows] = await this.#database.write([{ sql: forgetIdsSql, params: [now, idsAtOnce] }], never);
      forgotten = rows?.length ?? 0;
    }
  }

  async #trim(log: TopicLog): Promise<void> {
    for (let dropped = chunksAtOnce; dropped === chunksAtOnce; ) {
      const rows = await this.#database.read(oldestSql, [log.id, log.id, chunksAtOnce], never);
      if (log.isGone) return;
      const cut = cutOf(log, rows, this.#now());
      dropped = cut.chunks;
      if (cut.first <= log.first && dropped === 0) return;
      const job = [
        { sql: deleteSql, params: [log.id, cut.deleteTo] },
        { sql: cutSql, params: [cut.first, cut.bytes, log.id] },
      ];
      // Before they go: who misses them while they do must know that they are not lost.
      log.first = cut.first;
      await this.#database.write(job, never);
      log.bytes = cut.bytesLeft;
    }
  }

  /** Takes expired events out of their chunks. Returns the ids of the topics that had some. */
  async #deleteExpired(now: number): Promise<Set<number>> {
    const topics = new Set<number>();
    for (let found = chunksAtOnce; found === chunksAtOnce; ) {
      const rows = await this.#database.read(expiredSql, [now, chunksAtOnce], never);
      found = rows.length;
      for (const [topicId, first, count, data] of rows) {
        const key = { topicId: Number(topicId), first: Number(first) };
        const old = data instanceof Uint8Array ? data : new Uint8Array();
        const fresh = withoutExpired(key, Number(count), old, now);
        topics.add(key.topicId);
        const job = [
          { sql: shrinkSql, params: [fresh.data.length, key.topicId, key.first] },
          { sql: rewriteSql, params: [fresh.data, fresh.nextExpiry, key.topicId, key.first] },
        ];
        await this.#database.write(job, never);
      }
    }
    return topics;
  }
}

interface Cut {
  /** How many chunks go, and their bytes. */
  readonly chunks: number;
  readonly bytes: number;
  /** All chunks that begin before this offset go; none when it is 0. */
  readonly deleteTo: number;
  /** The first offset that is kept from then on; a part of its chunk may be older. */
  readonly first: number;
  readonly bytesLeft: number;
}

/** What goes of a topic's oldest chunks. */
function cutOf({ settings, next, first }: TopicLog, rows: readonly Row[], now: number): Cut {
  const bytes = Number(rows[0]?.[4] ?? 0);
  const { maxAgeMs = Number.POSITIVE_INFINITY, maxBytes = Number.POSITIVE_INFINITY } = settings;
  const keepFrom = Math.max(first, next - (settings.maxEvents ?? Number.POSITIVE_INFINITY));
  let chunks = 0;
  let cutBytes = 0;
  let deleteTo = 0;
  for (const row of rows) {
    const [start, count, storedAt, size] = row.map(Number) as [number, number, number, number];
    const goes =
      start + count <= keepFrom || bytes - cutBytes > maxBytes || storedAt <= now - maxAgeMs || size === goneBytes;
    if (!goes) break;
    chunks++;
    cutBytes += size;
    deleteTo = start + count;
  }
  return { chunks, bytes: cutBytes, deleteTo, first: Math.max(keepFrom, deleteTo), bytesLeft: bytes - cutBytes };
}

/** A chunk without what has expired. One with damage stays as it is, so that the damage is not lost; readers leave out what has expired. */
function withoutExpired(
  key: { readonly topicId: number; readonly first: number },
  count: number,
  data: Uint8Array,
  now: number,
): { readonly data: Uint8Array; readonly nextExpiry: number | null } {
  const records = recordsOf(key, count, data);
  const events: (StoredEvent | undefined)[] = [];
  let nextExpiry: number | null = null;
  for (const body of records) {
    if (body === undefined) return { data, nextExpiry: null };
    const event = decodeBody(body);
    const isLive = event?.expiresAt === undefined || event.expiresAt > now;
    if (isLive && event?.expiresAt !== undefined) nextExpiry = Math.min(nextExpiry ?? event.expiresAt, event.expiresAt);
    events.push(isLive ? event : undefined);
  }
  return { data: encodeChunk(key, events), nextExpiry };
}
