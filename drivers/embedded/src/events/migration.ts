import type { DatabaseSync } from "node:sqlite";
import { encodeChunk, type StoredEvent } from "./chunk.ts";

/** The tables of topics as they are now, beside those of a row for each event, `events` and `event_groups`, which `moveRows` empties and drops. */
const tables = `
  ALTER TABLE topics RENAME COLUMN next_position TO next_offset;
  ALTER TABLE topics ADD COLUMN first_offset INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE topics ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE topics ADD COLUMN peak_at INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE topics ADD COLUMN settings TEXT;
  CREATE TABLE event_chunks (
    topic_id INTEGER NOT NULL REFERENCES topics (id),
    first_offset INTEGER NOT NULL,
    count INTEGER NOT NULL,
    stored_at INTEGER NOT NULL,
    latest_at INTEGER NOT NULL,
    peak_at INTEGER NOT NULL,
    next_expiry INTEGER,
    data BLOB NOT NULL,
    UNIQUE (topic_id, first_offset)
  );
  CREATE INDEX event_chunks_expiry ON event_chunks (next_expiry) WHERE next_expiry IS NOT NULL;
  CREATE TABLE event_ids (
    topic_id INTEGER NOT NULL REFERENCES topics (id),
    id TEXT NOT NULL,
    offset INTEGER NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (topic_id, id)
  ) WITHOUT ROWID;
  CREATE INDEX event_ids_until ON event_ids (until);
  ALTER TABLE event_groups RENAME TO old_groups;
  CREATE TABLE event_groups (
    topic_id INTEGER NOT NULL REFERENCES topics (id),
    name BLOB NOT NULL,
    position INTEGER NOT NULL,
    runs TEXT NOT NULL,
    tried TEXT NOT NULL,
    used_at INTEGER NOT NULL,
    PRIMARY KEY (topic_id, name)
  );`;
const eventsSql =
  "SELECT position, id, at, metadata, payload, expires_at FROM events WHERE topic_id = ? ORDER BY position";
const insertSql = `INSERT INTO event_chunks (topic_id, first_offset, count, stored_at, latest_at, peak_at, next_expiry, data)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?)`;
const topicSql = "UPDATE topics SET bytes = ?, peak_at = ? WHERE id = ?";
const groupSql =
  "INSERT INTO event_groups (topic_id, name, position, runs, tried, used_at) VALUES (?, ?, ?, ?, '[]', ?)";
const chunkEvents = 256;
const chunkBytes = 256 * 1024;

/** From a row for each event to checksummed chunks of events. Runs in the transaction of its migration. */
export function moveEventsToChunks(database: DatabaseSync): void {
  database.exec(tables);
  for (const { id, next_offset: end } of database.prepare("SELECT id, next_offset FROM topics").all())
    moveTopic(database, Number(id), Number(end));
  const insertGroup = database.prepare(groupSql);
  for (const { topic_id, name, position, done, used_at } of database.prepare("SELECT * FROM old_groups").all())
    insertGroup.run(topic_id ?? 0, name ?? "", position ?? 0, runsOf(Number(position), String(done)), used_at ?? 0);
  database.exec("DROP TABLE events; DROP TABLE old_groups;");
}

function moveTopic(database: DatabaseSync, topicId: number, end: number): void {
  const insert = database.prepare(insertSql);
  let events: (StoredEvent | undefined)[] = [];
  let first = 0;
  let bytes = 0;
  let total = 0;
  let peak = 0;
  const close = () => {
    if (events.length === 0) return;
    const data = encodeChunk({ topicId, first }, events);
    const times = events.map((event) => event?.at ?? 0);
    const latest = times.reduce((a, b) => Math.max(a, b), 0);
    const expiries = events.flatMap((event) => event?.expiresAt ?? []);
    peak = Math.max(peak, latest);
    const nextExpiry = expiries.length === 0 ? null : Math.min(...expiries);
    insert.run(topicId, first, events.length, latest, latest, peak, nextExpiry, data);
    first += events.length;
    total += data.length;
    events = [];
    bytes = 0;
  };
  const add = (event: StoredEvent | undefined) => {
    if (events.length >= chunkEvents || bytes >= chunkBytes) close();
    events.push(event);
    bytes += event?.payload.length ?? 0;
  };
  for (const row of database.prepare(eventsSql).iterate(topicId)) {
    // What had expired was deleted: its place stays.
    while (first + events.length < Number(row["position"])) add(undefined);
    add({
      id: String(row["id"]),
      at: Number(row["at"]),
      expiresAt: row["expires_at"] === null ? undefined : Number(row["expires_at"]),
      metadata: JSON.parse(String(row["metadata"])),
      payload: row["payload"] instanceof Uint8Array ? row["payload"] : new Uint8Array(),
    });
  }
  while (first + events.length < end) add(undefined);
  close();
  database.prepare(topicSql).run(total, peak, topicId);
}

/** Stretches of done positions, ends included, as runs. */
function runsOf(position: number, done: string): string {
  const runs: number[] = [];
  let at = position;
  for (const [first, last] of JSON.parse(done) as [number, number][]) {
    runs.push(first - at, last + 1 - first);
    at = last + 1;
  }
  return JSON.stringify(runs);
}
