import { type FileHandle, open, realpath, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { CommandError } from "./failure.ts";

/**
 * Writes a file all at once: when `write` throws, what was there before stays. A device or a pipe is written to as it comes, and a link stays one.
 * What the system refuses is an error that names the path.
 */
export async function writeWhole<T>(path: string, mode: number, write: (file: FileHandle) => Promise<T>): Promise<T> {
  try {
    const target = await realpath(path).catch(() => path);
    const found = await stat(target).catch(() => undefined);
    if (found?.isDirectory()) throw new CommandError(1, `can't write ${path}: it is a folder`);
    if (found !== undefined && !found.isFile()) {
      await using file = await open(target, "w");
      return await write(file);
    }
    return await replace(target, mode, write);
  } catch (error) {
    const { code, syscall, message } = error as NodeJS.ErrnoException;
    if (syscall === undefined) throw error;
    const why = code === "ENOENT" ? `there is no folder ${dirname(path)}` : message;
    throw new CommandError(1, `can't write ${path}: ${why}`, 400, { cause: error });
  }
}

async function replace<T>(path: string, mode: number, write: (file: FileHandle) => Promise<T>): Promise<T> {
  const partial = `${path}.partial`;
  try {
    await using file = await open(partial, "w", mode);
    const result = await write(file);
    await file.sync();
    await rename(partial, path);
    return result;
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}
