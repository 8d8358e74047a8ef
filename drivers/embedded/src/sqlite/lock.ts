import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { MicroError } from "@microts/core";
import { primary } from "./result-codes.ts";

/**
 * Takes a data directory for this process until disposed; a directory that isn't there is made. Throws 409 naming the directory and the
 * process that holds it. The lock is the operating system's (through SQLite's on the file `lock`), so it goes with the process however that
 * ends. Synchronous: it is the first thing at start.
 */
export function lockDataDirectory(directory: string): Disposable {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw unusable(directory, error);
  }
  const pidFile = join(directory, "lock.pid");
  const lock = take(directory, pidFile);
  // Beside the lock, not in it: reading the locked file from this process would release the lock (fcntl(2), "record locks").
  try {
    writeFileSync(pidFile, `${process.pid}\n`, { mode: 0o600 });
  } catch (error) {
    lock.close();
    throw unusable(directory, error);
  }
  return { [Symbol.dispose]: () => lock.close() };
}

function take(directory: string, pidFile: string): DatabaseSync {
  let lock: DatabaseSync | undefined;
  try {
    lock = new DatabaseSync(join(directory, "lock"), { timeout: 0 });
    lock.exec("BEGIN EXCLUSIVE");
    return lock;
  } catch (error) {
    lock?.close();
    if (resultOf(error) !== primary.busy) throw unusable(directory, error);
    const owner = `the data directory ${directory} is in use by another micro server (pid ${pidIn(pidFile)})`;
    throw new MicroError(409, "micro", `${owner}. Stop that one first, or give this one its own with MICRO_DATA_DIR`, {
      cause: error,
    });
  }
}

/** SQLite's primary result code. */
function resultOf(error: unknown): number {
  return ((error as { errcode?: number }).errcode ?? 0) & 0xff;
}

function unusable(directory: string, cause: unknown): MicroError {
  if (resultOf(cause) === primary.full || (cause as NodeJS.ErrnoException).code === "ENOSPC")
    return new MicroError(507, "micro", `the disk with ${directory} is full: free some space, then start the server`, {
      cause,
    });
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new MicroError(
    503,
    "micro",
    `can't use the data directory ${directory}: ${reason}${whose(directory)}. Name another with MICRO_DATA_DIR`,
    { cause },
  );
}

/** What SQLite doesn't say: that the directory is another user's. */
function whose(directory: string): string {
  const own = process.getuid?.();
  try {
    const { uid } = statSync(directory);
    return own === undefined || uid === own ? "" : ` (it belongs to the user ${uid}, and this process to ${own})`;
  } catch {
    return "";
  }
}

function pidIn(file: string): string {
  try {
    return readFileSync(file, "utf8").trim() || "unknown";
  } catch {
    return "unknown";
  }
}
