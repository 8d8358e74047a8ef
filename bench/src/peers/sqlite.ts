/**
 * The practical limit of a durable store on SQLite: `node:sqlite` on a thread that does nothing else, 64 writes per transaction, on disk when
 * the transaction is. Run as `sqlite.ts write|read <folder> <ms>`; prints operations per second.
 */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { recordCount, recordKey, recordValue } from "./record.ts";

export const sqliteFile = import.meta.filename;

const batch = 64;

function open(folder: string): DatabaseSync {
  const database = new DatabaseSync(join(folder, "limit.db"));
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -16384");
  database.exec("CREATE TABLE IF NOT EXISTS records (key BLOB PRIMARY KEY, value BLOB NOT NULL)");
  return database;
}

function writer(database: DatabaseSync): (first: number) => void {
  const put = database.prepare("INSERT OR REPLACE INTO records (key, value) VALUES (?, ?)");
  return (first) => {
    database.exec("BEGIN IMMEDIATE");
    for (let at = first; at < first + batch; at++) put.run(Buffer.from(recordKey(at)), recordValue);
    database.exec("COMMIT");
  };
}

function reader(database: DatabaseSync): (first: number) => void {
  const write = writer(database);
  for (let at = 0; at < recordCount; at += batch) write(at);
  const get = database.prepare("SELECT value FROM records WHERE key = ?");
  return (first) => {
    for (let at = first; at < first + batch; at++) get.get(Buffer.from(recordKey(at)));
  };
}

if (import.meta.main) {
  const [, , kind, folder = ".", ms] = process.argv;
  const database = open(folder);
  const step = kind === "write" ? writer(database) : reader(database);
  const startedMs = performance.now();
  let done = 0;
  for (; performance.now() - startedMs < Number(ms); done += batch) step(done);
  console.log(done / ((performance.now() - startedMs) / 1000));
  database.close();
}
