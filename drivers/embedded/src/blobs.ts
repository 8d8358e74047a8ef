import { randomUUID } from "node:crypto";
import { type FileHandle, mkdir, open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { BlobDriver, BlobInfo, BlobRange, BlobStat } from "@microts/blocks/store";
import { MicroError } from "@microts/core";
import { type BlobContent, readBlobFile, writeBlobFile } from "./blob-file.ts";
import { MemoryBlobs } from "./memory-blobs.ts";
import type { EmbeddedDatabase } from "./sqlite/index.ts";

interface StoredFile extends Omit<BlobContent, "sha256"> {
  readonly name: string;
}

const blob = "CAST(? AS BLOB)";
const findSql = `SELECT file, size, checksums FROM blobs WHERE namespace = ${blob} AND key = ${blob}`;
const statSql = `SELECT size, content_type, public, sha256, written_at FROM blobs WHERE namespace = ${blob} AND key = ${blob}`;
const putSql = `INSERT INTO blobs (namespace, key, file, size, content_type, public, sha256, checksums, written_at)
  VALUES (${blob}, ${blob}, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (namespace, key) DO UPDATE SET file = excluded.file, size = excluded.size,
  content_type = excluded.content_type, public = excluded.public, sha256 = excluded.sha256, checksums = excluded.checksums,
  written_at = excluded.written_at`;
const deleteSql = `DELETE FROM blobs WHERE namespace = ${blob} AND key = ${blob} RETURNING file`;
const listSql = `SELECT CAST(key AS TEXT) FROM blobs WHERE namespace = ${blob} AND substr(key, 1, ?) = ${blob} ORDER BY key`;

const never = new AbortController().signal;

/**
 * Opens the blobs of a database's data directory and clears away files that a crash left without an entry; in memory when the database is. The database is its
 * owner's to close.
 */
export async function openEmbeddedBlobs(database: EmbeddedDatabase): Promise<BlobDriver> {
  if (database.dataDir === undefined) return new MemoryBlobs();
  const directory = join(database.dataDir, "blobs");
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const known = new Set((await database.read("SELECT file FROM blobs", [], never)).map(([file]) => file));
  const leftovers = (await readdir(directory)).filter((name) => !known.has(name));
  await Promise.all(leftovers.map((name) => rm(join(directory, name), { force: true, recursive: true })));
  return new EmbeddedBlobs(database, directory);
}

/**
 * Blobs as files of random names; the database says which is which. A file is written and synced before its entry is, and removed after it,
 * so that an entry always has its bytes. Names of callers never become paths.
 */
export class EmbeddedBlobs implements BlobDriver {
  readonly name = "embedded";
  readonly #database: EmbeddedDatabase;
  readonly #directory: string;

  /** `openEmbeddedBlobs` prepares the directory. */
  constructor(database: EmbeddedDatabase, directory: string) {
    this.#database = database;
    this.#directory = directory;
  }

  async write(
    namespace: string,
    key: string,
    info: BlobInfo,
    chunks: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<void> {
    const file = randomUUID();
    const path = join(this.#directory, file);
    try {
      const { size, sha256, checksums } = await writeBlobFile(path, chunks, signal);
      await syncDirectory(this.#directory);
      const about = [info.contentType, info.public ? 1 : 0, sha256, checksums, Date.now()];
      const put = { sql: putSql, params: [namespace, key, file, size, ...about] };
      const [replaced] = await this.#database.write([{ sql: findSql, params: [namespace, key] }, put], signal);
      await this.#remove(replaced?.[0]?.[0]);
    } catch (error) {
      if (!(await this.#isEntered(file))) await rm(path, { force: true });
      throw errorOfFile(error, path);
    }
  }

  async read(
    namespace: string,
    key: string,
    range: BlobRange,
    signal: AbortSignal,
  ): Promise<AsyncIterable<Uint8Array> | undefined> {
    const stored = await this.#find(namespace, key, signal);
    return stored && this.#chunks(namespace, key, stored, range, signal);
  }

  async stat(namespace: string, key: string, signal: AbortSignal): Promise<BlobStat | undefined> {
    const row = await this.#database.readOne(statSql, [namespace, key], signal);
    if (row === undefined) return undefined;
    const [size, contentType, isPublic, sha256, writtenAt] = row;
    return {
      size: Number(size),
      contentType: String(contentType),
      public: isPublic === 1,
      sha256: String(sha256 ?? ""),
      writtenAt: new Date(Number(writtenAt ?? 0)),
    };
  }

  async delete(namespace: string, key: string, signal: AbortSignal): Promise<void> {
    const [deleted] = await this.#database.write([{ sql: deleteSql, params: [namespace, key] }], signal);
    await this.#remove(deleted?.[0]?.[0]);
  }

  async list(namespace: string, prefix: string, signal: AbortSignal): Promise<string[]> {
    const rows = await this.#database.read(listSql, [namespace, Buffer.byteLength(prefix), prefix], signal);
    return rows.map(([key]) => String(key));
  }

  async #find(namespace: string, key: string, signal: AbortSignal): Promise<StoredFile | undefined> {
    const row = await this.#database.readOne(findSql, [namespace, key], signal);
    if (row === undefined) return undefined;
    const [name, size, checksums] = row;
    return {
      name: String(name),
      size: Number(size),
      checksums: checksums instanceof Uint8Array ? checksums : new Uint8Array(),
    };
  }

  async *#chunks(
    namespace: string,
    key: string,
    first: StoredFile,
    range: BlobRange,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const { handle, stored } = await this.#open(namespace, key, first, signal);
    try {
      yield* readBlobFile(handle, stored, range, (problem) => damaged(key, problem), signal);
    } catch (error) {
      throw errorOfFile(error, join(this.#directory, stored.name));
    } finally {
      await handle.close();
    }
  }

  /** A file found a moment ago may have been replaced since: its entry then names another. */
  async #open(
    namespace: string,
    key: string,
    first: StoredFile,
    signal: AbortSignal,
  ): Promise<{ handle: FileHandle; stored: StoredFile }> {
    for (let stored: StoredFile | undefined = first; stored !== undefined; ) {
      const { name }: StoredFile = stored;
      try {
        return { handle: await open(join(this.#directory, name)), stored };
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw errorOfFile(error, join(this.#directory, name));
        stored = await this.#find(namespace, key, signal);
        if (stored?.name === name) throw damaged(key, `its file ${join(this.#directory, name)} is gone`);
      }
    }
    throw MicroError.notFound("store.Blob.Read", `not found: the blob "${key}" was deleted while it was read`);
  }

  /** When a write fails after it was sent, only the database knows whether it counts. */
  async #isEntered(file: string): Promise<boolean> {
    try {
      return (await this.#database.read("SELECT 1 FROM blobs WHERE file = ?", [file], never)).length > 0;
    } catch {
      return true;
    }
  }

  async #remove(file: unknown): Promise<void> {
    if (typeof file === "string") await rm(join(this.#directory, file), { force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** Makes the file's name as durable as its bytes. */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function damaged(key: string, problem: string): MicroError {
  return MicroError.internal(
    "store.Blob.Read",
    `the blob ${JSON.stringify(key)} is damaged (${problem}): write it anew, delete it, or restore a backup`,
  );
}

function errorOfFile(error: unknown, path: string): unknown {
  const { code, message } = error as NodeJS.ErrnoException;
  if (typeof code !== "string" || !/^E[A-Z]+$/.test(code)) return error;
  const isFull = code === "ENOSPC" || code === "EDQUOT";
  const reason = isFull ? "the disk is full: nothing was written. Free some space and try again" : message;
  return new MicroError(isFull ? 507 : 503, "store", `can't keep the blob in ${path}: ${reason}`, { cause: error });
}
