import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { MicroError } from "@microts/core";

/** What a backup is made of: file → size and SHA-256. */
export interface Manifest {
  readonly createdAt: Date;
  readonly files: Readonly<Record<string, FileSum>>;
}

export interface FileSum {
  readonly size: number;
  /** In hex. */
  readonly sha256: string;
}

export const manifestFile = "backup.json";
export const databaseFile = "micro.db";
const kind = "server backup";
const format = 1;

export function manifestText({ createdAt, files }: Manifest): string {
  return `${JSON.stringify({ micro: kind, format, created: createdAt.toISOString(), files }, undefined, "\t")}\n`;
}

/** Throws 400 for a folder that is no backup, and 412 for one of another format. */
export async function readManifest(folder: string): Promise<Manifest> {
  const path = join(folder, manifestFile);
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) =>
    refuse(folder, error.code === "ENOENT" ? `there is no ${manifestFile} in it` : error.message),
  );
  let content: Readonly<Record<string, unknown>>;
  try {
    content = JSON.parse(text);
  } catch {
    return refuse(folder, `${manifestFile} is not JSON`);
  }
  const { micro, format: found, created, files } = content;
  if (micro !== kind || typeof files !== "object" || files === null)
    return refuse(folder, `${manifestFile} is another file`);
  if (found !== format)
    throw new MicroError(412, "backup", `${folder} has format ${found}, and this version of micro reads ${format}`);
  for (const name of Object.keys(files))
    if (!/^(micro\.db|(blobs|keys)\/[\w-][\w.-]*)$/.test(name))
      return refuse(folder, `"${name}" is no file of a backup`);
  return { createdAt: new Date(String(created)), files: files as Manifest["files"] };
}

export async function sumOf(path: string): Promise<FileSum> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) hash.update(chunk as Uint8Array);
  return { size: (await stat(path)).size, sha256: hash.digest("hex") };
}

function refuse(folder: string, why: string): never {
  throw MicroError.badRequest("backup", `${folder} is no backup of a micro server: ${why}`);
}
