import { access, copyFile, mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { MicroError } from "@microts/core";
import { lockDataDirectory } from "../sqlite/index.ts";
import { databaseFile, type FileSum, type Manifest, readManifest, sumOf } from "./manifest.ts";

export interface RestoreOptions {
  /** The folder of a backup. */
  readonly from: string;
  /** Of a server that isn't running; made when it isn't there. */
  readonly dataDir: string;
  /** Is told of bytes that were copied, and of those there are. */
  readonly onProgress?: (bytes: number, total: number) => void;
  readonly signal: AbortSignal;
}

export interface Restored extends Manifest {
  /** Where what was there before is now; undefined when nothing was. */
  readonly before: string | undefined;
}

/**
 * Puts a backup in the place of what a server keeps, once it has seen that the backup is whole. What was there is moved away, not deleted; keys that are there
 * stay. Throws 409 while the server runs.
 */
export async function restoreBackup({ from, dataDir, onProgress, signal }: RestoreOptions): Promise<Restored> {
  const manifest = await readManifest(from);
  using _ = lockDataDirectory(dataDir);
  const staging = join(dataDir, "restoring");
  await rm(staging, { recursive: true, force: true });
  try {
    await stage(from, staging, manifest, onProgress, signal);
    const before = await moveAway(dataDir, manifest.createdAt);
    await moveIn(staging, dataDir, manifest);
    return { ...manifest, before };
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/** Copies the backup beside what is there, and compares it with what it should be. */
async function stage(
  from: string,
  staging: string,
  { files }: Manifest,
  onProgress: RestoreOptions["onProgress"],
  signal: AbortSignal,
): Promise<void> {
  const total = Object.values(files).reduce((sum, { size }) => sum + size, 0);
  let done = 0;
  for (const name of ["blobs", "keys"]) await mkdir(join(staging, name), { recursive: true, mode: 0o700 });
  for (const [name, sum] of Object.entries(files)) {
    signal.throwIfAborted();
    const copy = join(staging, name);
    await copyFile(join(from, name), copy).catch((error: Error) => damaged(from, name, error.message));
    if (!isSame(await sumOf(copy), sum)) damaged(from, name, "it was altered");
    await sync(copy);
    done += sum.size;
    onProgress?.(done, total);
  }
}

/** The database last, for a directory without one is an empty one and not half of two. */
async function moveIn(staging: string, dataDir: string, { files }: Manifest): Promise<void> {
  const names = Object.keys(files).filter((name) => name !== databaseFile);
  for (const name of [...names, databaseFile]) {
    const to = join(dataDir, name);
    await mkdir(dirname(to), { recursive: true, mode: 0o700 });
    const isKey = name.startsWith("keys/");
    if (!isKey || !(await exists(to))) await rename(join(staging, name), to);
  }
  for (const folder of ["blobs", "keys", "."]) await sync(join(dataDir, folder)).catch(() => {});
}

async function moveAway(dataDir: string, createdAt: Date): Promise<string | undefined> {
  const present = (await readdir(dataDir)).filter((name) => name === "blobs" || name.startsWith(databaseFile));
  if (present.length === 0) return undefined;
  const time = createdAt.toISOString().replaceAll(/[:.]/g, "-");
  const before = await freshFolder(join(dataDir, `before-restore-of-${time}`));
  // The database first, for the same reason.
  for (const name of present.toSorted().toReversed()) await rename(join(dataDir, name), join(before, name));
  await sync(before);
  await sync(dataDir);
  return before;
}

async function freshFolder(path: string): Promise<string> {
  for (let number = 1; ; number++) {
    const name = number === 1 ? path : `${path}-${number}`;
    if (await exists(name)) continue;
    await mkdir(name, { mode: 0o700 });
    return name;
  }
}

function isSame(one: FileSum, other: FileSum): boolean {
  return one.size === other.size && one.sha256 === other.sha256;
}

function damaged(folder: string, name: string, why: string): never {
  throw MicroError.internal(
    "backup",
    `the backup ${folder} is damaged: ${name}: ${why}. Nothing was restored: take another one`,
  );
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function sync(path: string): Promise<void> {
  await using handle = await open(path);
  await handle.sync();
}
