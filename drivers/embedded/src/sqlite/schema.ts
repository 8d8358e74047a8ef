import type { DatabaseSync } from "node:sqlite";
import { moveEventsToChunks } from "../events/migration.ts";

type Migration = string | ((database: DatabaseSync) => void);

/**
 * Each entry takes the file from the version before it to its own; `PRAGMA user_version` counts them. Entries that were released never
 * change. Names and keys are blobs, so that their order is the order of their bytes and no character in them means anything.
 */
const migrations: readonly Migration[] = [
  `CREATE TABLE tables (
     id INTEGER PRIMARY KEY,
     database BLOB NOT NULL,
     name BLOB NOT NULL,
     UNIQUE (database, name)
   );
   CREATE TABLE records (
     id INTEGER PRIMARY KEY,
     table_id INTEGER NOT NULL REFERENCES tables (id),
     key BLOB NOT NULL,
     value BLOB NOT NULL,
     metadata TEXT,
     expires_at INTEGER,
     UNIQUE (table_id, key)
   );
   CREATE INDEX records_expiry ON records (expires_at) WHERE expires_at IS NOT NULL;
   CREATE TABLE blobs (
     namespace BLOB NOT NULL,
     key BLOB NOT NULL,
     file TEXT NOT NULL UNIQUE,
     size INTEGER NOT NULL,
     content_type TEXT NOT NULL,
     public INTEGER NOT NULL,
     PRIMARY KEY (namespace, key)
   );`,
  `CREATE TABLE topics (
     id INTEGER PRIMARY KEY,
     namespace BLOB NOT NULL,
     name BLOB NOT NULL,
     next_position INTEGER NOT NULL DEFAULT 0,
     UNIQUE (namespace, name)
   );
   CREATE TABLE events (
     topic_id INTEGER NOT NULL REFERENCES topics (id),
     position INTEGER NOT NULL,
     id TEXT NOT NULL,
     at INTEGER NOT NULL,
     metadata TEXT NOT NULL,
     payload BLOB NOT NULL,
     expires_at INTEGER,
     UNIQUE (topic_id, position)
   );
   CREATE INDEX events_time ON events (topic_id, at);
   CREATE INDEX events_expiry ON events (expires_at) WHERE expires_at IS NOT NULL;
   CREATE TABLE event_groups (
     topic_id INTEGER NOT NULL REFERENCES topics (id),
     name BLOB NOT NULL,
     position INTEGER NOT NULL,
     done TEXT NOT NULL,
     used_at INTEGER NOT NULL,
     PRIMARY KEY (topic_id, name)
   );`,
  moveEventsToChunks,
  // Every change of a record has a row in versions; those that were superseded go after a while. Values last, so that scans don't touch them.
  `CREATE TABLE versions (
     revision INTEGER PRIMARY KEY,
     table_id INTEGER NOT NULL REFERENCES tables (id),
     key BLOB NOT NULL,
     is_raw INTEGER,
     previous INTEGER,
     expires_at INTEGER,
     checksum INTEGER,
     metadata TEXT,
     value BLOB
   );
   INSERT INTO versions (revision, table_id, key, expires_at, metadata, value)
     SELECT id, table_id, key, expires_at, metadata, value FROM records ORDER BY id;
   DROP TABLE records;
   CREATE TABLE records (
     table_id INTEGER NOT NULL REFERENCES tables (id),
     key BLOB NOT NULL,
     is_raw INTEGER,
     revision INTEGER NOT NULL,
     expires_at INTEGER,
     PRIMARY KEY (table_id, key)
   ) WITHOUT ROWID;
   INSERT INTO records (table_id, key, revision, expires_at) SELECT table_id, key, revision, expires_at FROM versions;
   CREATE INDEX records_expiry ON records (expires_at) WHERE expires_at IS NOT NULL;
   CREATE TABLE store_history (forgotten INTEGER NOT NULL);
   INSERT INTO store_history VALUES ((SELECT coalesce(max(revision), 0) FROM versions));`,
  `ALTER TABLE blobs ADD COLUMN sha256 TEXT;
   ALTER TABLE blobs ADD COLUMN checksums BLOB;
   ALTER TABLE blobs ADD COLUMN written_at INTEGER;`,
];

/** The version this code reads and writes. */
export const schemaVersion = migrations.length;

/** Brings the file to a version, by default this code's own; false when it is newer than that, which leaves it untouched. */
export function migrate(database: DatabaseSync, to = schemaVersion): boolean {
  const row = database.prepare("PRAGMA user_version").get();
  const version = Number(row?.["user_version"] ?? 0);
  if (version > to) return false;
  if (version === to) return true;
  // All at once: a file is never between two versions, and a new one is on the disk with one sync.
  database.exec("BEGIN IMMEDIATE");
  for (const migration of migrations.slice(version, to)) {
    if (typeof migration === "string") database.exec(migration);
    else migration(database);
  }
  database.exec(`PRAGMA user_version = ${to}; COMMIT;`);
  return true;
}
