import { access, copyFile, mkdir, open, readdir, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { backup, DatabaseSync } from "node:sqlite";
import { MicroError } from "@microts/core";
import { damageOfLog, lockDataDirectory } from "../sqlite/index.ts";
import { databaseFile, type FileSum, type Manifest, manifestFile, manifestText, sumOf } from "./manifest.ts";

export interface BackupOptions {
  /** The server that it belongs to may be running. */
  readonly dataDir: string;
  /** A folder that isn't there yet. */
  readonly into: string;
  /** Takes the root key of secrets along: whoever has the copy then has the secrets. */
  readonly withSecretKey: boolean;
  /** Is told of bytes that were copied, and of those there are. */
  readonly onProgress?: (bytes: number, total: number) => void;
  readonly signal: AbortSignal;
}

/** Blobs that go away while they are copied make it begin anew; this often at most. */
const attempts = 10;
/** Pages that are copied in one step. */
const pagesAtOnce = 2_048;
const pageBytes = 4_096;
const secretKeyFile = "config-secret-key";

/**
 * Copies what a server keeps: its database as it is at one moment, the blobs of that moment, and its keys. All that was acknowledged before is in it.
 * Leaves nothing when it fails. Resolves with what it copied.
 */
export async function backUp(options: BackupOptions): Promise<Manifest> {
  const { dataDir, into } = options;
  await checkSource(dataDir);
  const partial = join(dirname(into), `${basename(into)}.partial`);
  await makeFolder(into, partial);
  try {
    const createdAt = new Date();
    const files: Record<string, FileSum> = {};
    const blobs = await copyDatabaseAndBlobs(options, partial);
    for (const key of await keyFiles(dataDir, options.withSecretKey)) await copyTo(dataDir, partial, join("keys", key));
    for (const name of [databaseFile, ...blobs, ...(await namesIn(partial, "keys"))])
      files[name] = await sumOf(join(partial, name));
    const manifest = { createdAt, files };
    await writeFile(join(partial, manifestFile), manifestText(manifest), { mode: 0o600 });
    for (const name of [...Object.keys(files), manifestFile, "blobs", "keys", "."]) await sync(join(partial, name));
    await rename(partial, into);
    await sync(dirname(into));
    return manifest;
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    throw error;
  }
}

/** What a server would refuse to start with is no backup either. */
async function checkSource(dataDir: string): Promise<void> {
  const path = join(dataDir, databaseFile);
  await access(path).catch((error: NodeJS.ErrnoException) => {
    const why = error.code === "ENOENT" ? `there is no ${databaseFile} in it` : error.message;
    throw MicroError.notFound(
      "backup",
      `${dataDir} is no data directory of a micro server: ${why}. Name it with --data_dir or MICRO_DATA_DIR`,
    );
  });
  try {
    using _ = lockDataDirectory(dataDir);
    const damage = damageOfLog(`${path}-wal`);
    if (damage === undefined) return;
  } catch (error) {
    // In use: its server has looked at the log when it started.
    if (error instanceof MicroError && error.code === 409) return;
    throw error;
  }
  throw MicroError.internal("backup", `${path}-wal is damaged: start the server to see what can be done`);
}

async function makeFolder(into: string, partial: string): Promise<void> {
  try {
    if ((await readdir(into).catch(() => undefined)) !== undefined) throw new Error("it is there already");
    await mkdir(partial, { mode: 0o700 });
    for (const name of ["blobs", "keys"]) await mkdir(join(partial, name), { mode: 0o700 });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? `there is no folder ${dirname(into)}. Make it first` : `${message}. Name another`;
    throw MicroError.badRequest("backup", `can't make the folder ${into}: ${why}`);
  }
}

/** The blobs that the copied database names. One that is replaced in between is looked for in a newer state of the database. */
async function copyDatabaseAndBlobs(options: BackupOptions, partial: string): Promise<string[]> {
  const { dataDir, signal } = options;
  const copied = new Set<string>();
  for (let attempt = 0; attempt < attempts; attempt++) {
    signal.throwIfAborted();
    await rm(join(partial, databaseFile), { force: true });
    await copyDatabase(options, join(partial, databaseFile));
    const names = blobsOf(join(partial, databaseFile)).map((name) => join("blobs", name));
    if (await copyAll(dataDir, partial, names, copied, signal)) {
      const wanted = new Set(names);
      for (const name of copied) if (!wanted.has(name)) await rm(join(partial, name));
      return names;
    }
  }
  throw MicroError.unavailable("backup", "blobs are replaced faster than they can be copied: try again later");
}

async function copyAll(
  dataDir: string,
  partial: string,
  names: readonly string[],
  copied: Set<string>,
  signal: AbortSignal,
): Promise<boolean> {
  for (const name of names) {
    signal.throwIfAborted();
    if (copied.has(name)) continue;
    try {
      await copyTo(dataDir, partial, name);
      copied.add(name);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
      throw error;
    }
  }
  return true;
}

async function copyDatabase({ dataDir, onProgress, signal }: BackupOptions, to: string): Promise<void> {
  const path = join(dataDir, databaseFile);
  let source: DatabaseSync | undefined;
  try {
    source = new DatabaseSync(path, { timeout: 5_000 });
    // One state throughout: the copy would begin anew with every change otherwise.
    source.exec("BEGIN; SELECT count(*) FROM sqlite_schema;");
    const progress = ({ totalPages, remainingPages }: { totalPages: number; remainingPages: number }) => {
      signal.throwIfAborted();
      onProgress?.((totalPages - remainingPages) * pageBytes, totalPages * pageBytes);
    };
    const pages = await backup(source, to, { rate: pagesAtOnce, progress });
    onProgress?.(pages * pageBytes, pages * pageBytes);
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw MicroError.unavailable("backup", `can't copy ${path}: ${(error as Error).message}`);
  } finally {
    source?.close();
  }
}

/** Throws 500 when the copy isn't whole, and neither is what it was made of. */
function blobsOf(path: string): string[] {
  const database = new DatabaseSync(path);
  try {
    const problems = database
      .prepare("PRAGMA integrity_check(3)")
      .all()
      .map((row) => String(row["integrity_check"]));
    if (problems.join() !== "ok")
      throw MicroError.internal(
        "backup",
        `the database is damaged (${problems.join("; ")}): restore an earlier backup`,
      );
    return database
      .prepare("SELECT file FROM blobs ORDER BY file")
      .all()
      .map((row) => String(row["file"]));
  } finally {
    database.close();
  }
}

async function keyFiles(dataDir: string, withSecretKey: boolean): Promise<string[]> {
  const names = await readdir(join(dataDir, "keys")).catch(() => []);
  return names.filter((name) => withSecretKey || !name.startsWith(secretKeyFile));
}

async function namesIn(folder: string, name: string): Promise<string[]> {
  return (await readdir(join(folder, name))).toSorted().map((file) => join(name, file));
}

async function copyTo(from: string, to: string, name: string): Promise<void> {
  await copyFile(join(from, name), join(to, name));
}

async function sync(path: string): Promise<void> {
  await using handle = await open(path);
  await handle.sync();
}
