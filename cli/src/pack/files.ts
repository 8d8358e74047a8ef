import { readdir, realpath, stat } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { MicroError } from "@microts/core";
import { usageError } from "../failure.ts";
import { IgnoreRules } from "./ignore-rules.ts";
import type { Project } from "./project.ts";

/** A file that is uploaded. */
export interface PackedFile {
  /** From the project's root, with `/`. */
  readonly name: string;
  readonly path: string;
  readonly bytes: number;
  readonly mode: number;
  readonly modifiedMs: number;
}

/** What of a project is uploaded. */
export interface Listing {
  /** By name. */
  readonly files: readonly PackedFile[];
  /** The folders that hold them, for watching. */
  readonly folders: readonly string[];
  /** Symbolic links that were left out because they lead to folders or out of the project. */
  readonly skippedLinks: readonly string[];
}

/** The most that is uploaded, as the sum of the files' sizes. */
export const maxPackedBytes = 256 * 1024 * 1024;

/** The files of a project's folder without what its ignore files, or good sense, leave out. */
export async function listFolder({ root, repository }: Project): Promise<Listing> {
  const listing = { files: [] as PackedFile[], folders: [] as string[], skippedLinks: [] as string[] };
  await walk(root, root, await IgnoreRules.at(root, repository), listing);
  if (listing.files.length === 0) throw usageError(`${root} has no files to run`);
  listing.files.sort((a, b) => (a.name < b.name ? -1 : 1));
  checkSize(listing.files, maxPackedBytes);
  return listing;
}

interface Found {
  readonly files: PackedFile[];
  readonly folders: string[];
  readonly skippedLinks: string[];
}

async function walk(root: string, folder: string, rules: IgnoreRules, found: Found): Promise<void> {
  found.folders.push(folder);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (rules.isIgnored(path, entry.isDirectory())) continue;
    if (entry.isDirectory()) {
      await walk(root, path, await rules.inside(path), found);
    } else if (entry.isFile() || (await isFileInside(root, path))) {
      found.files.push(await packedFile(root, path));
    } else if (entry.isSymbolicLink()) {
      found.skippedLinks.push(relative(root, path));
    }
  }
}

/** Whether a symbolic link leads to a file of the same project, whose content is packed in its place. */
async function isFileInside(root: string, path: string): Promise<boolean> {
  const target = await realpath(path).catch(() => undefined);
  return target?.startsWith(root + sep) === true && (await stat(target)).isFile();
}

export async function packedFile(root: string, path: string): Promise<PackedFile> {
  const { size, mode, mtimeMs } = await stat(path);
  const name = relative(root, path).split(sep).join("/");
  return { name, path, bytes: size, mode: mode & 0o111 ? 0o755 : 0o644, modifiedMs: mtimeMs };
}

/** Throws a 413 that names the largest files when they are more than `maxBytes` together. */
export function checkSize(files: readonly PackedFile[], maxBytes: number): void {
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  if (total <= maxBytes) return;
  const largest = files.toSorted((a, b) => b.bytes - a.bytes).slice(0, 5);
  const names = largest.map(({ name, bytes }) => `${name} (${mebibytes(bytes)})`).join(", ");
  throw MicroError.tooLarge(
    "micro",
    `the source is ${mebibytes(total)}, more than the ${mebibytes(maxBytes)} that may be uploaded. Largest: ${names}. Leave files out with a .microignore`,
  );
}

function mebibytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
