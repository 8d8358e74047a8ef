import { mkdir, open } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { MicroError } from "@microts/core";
import { type Extract, extract, type Header } from "tar-stream";

/** What one source may hold. */
export const sourceLimits = {
  entries: 20_000,
  totalBytes: 512 * 1024 * 1024,
  fileBytes: 64 * 1024 * 1024,
  pathBytes: 1024,
  nameBytes: 255,
  depth: 64,
} as const;

const id = "runtime.source";

/**
 * Unpacks a tar of folders and plain files into `dir`, which exists and is empty. Every entry is checked before the first is written: `read` is
 * called once to look and once to write. Throws 400 naming the entry for anything that isn't a plain relative file or folder, would lie
 * outside `dir`, appears twice (also as names that differ in case or Unicode form alone), or passes a limit. Owners and modes of the tar are ignored.
 */
export async function unpackSource(
  read: () => Promise<AsyncIterable<Uint8Array>>,
  dir: string,
  signal: AbortSignal,
): Promise<void> {
  await eachEntry(await read(), signal, async (entry) => {
    for await (const _ of entry) signal.throwIfAborted();
  });
  await eachEntry(await read(), signal, (entry, path) => writeEntry(entry, join(dir, path), signal));
}

type Entry = Extract extends AsyncIterable<infer E> ? E : never;
type Visit = (entry: Entry, path: string) => Promise<void>;

async function eachEntry(chunks: AsyncIterable<Uint8Array>, signal: AbortSignal, visit: Visit): Promise<void> {
  const archive = extract();
  const feeding = pipeline(Readable.from(chunks), archive, { signal });
  feeding.catch(() => {});
  const check = new EntryCheck();
  try {
    for await (const entry of archive) {
      const path = check.next(entry.header);
      if (path === "") for await (const _ of entry);
      else await visit(entry, path);
    }
    await feeding;
  } catch (error) {
    archive.destroy();
    signal.throwIfAborted();
    if (error instanceof MicroError || isSystemError(error)) throw error;
    throw refuse(`the source is not a tar archive that can be read: ${(error as Error).message}`);
  }
}

async function writeEntry(entry: Entry, path: string, signal: AbortSignal): Promise<void> {
  if (entry.header.type === "directory") {
    await mkdir(path, { recursive: true, mode: 0o700 });
    for await (const _ of entry);
    return;
  }
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await using file = await open(path, "wx", 0o600);
  for await (const chunk of entry) {
    signal.throwIfAborted();
    await file.writeFile(chunk as Uint8Array);
  }
}

/** Decides on entries one by one, remembering those before. */
class EntryCheck {
  #entries = 0;
  #bytes = 0;
  /** Folded path → the path as first written and whether it is a file. */
  readonly #seen = new Map<string, { readonly path: string; readonly file: boolean }>();

  /** The path of the entry relative to the root, "" for the root itself. Throws 400. */
  next(header: Header): string {
    const name = header.name;
    if (++this.#entries > sourceLimits.entries) throw refuse(`the source has more than ${sourceLimits.entries} files`);
    if (header.type !== "file" && header.type !== "contiguous-file" && header.type !== "directory") {
      throw refuse(
        `${quote(name)} is a ${(header.type as string | null) ?? "special file"}; a source holds plain files and folders only`,
      );
    }
    if (Object.keys((header.pax as object | null | undefined) ?? {}).some((key) => key.startsWith("GNU.sparse"))) {
      throw refuse(`${quote(name)} is a sparse file; a source holds plain files and folders only`);
    }
    const file = header.type !== "directory";
    this.#count(name, file ? header.size : 0);
    const parts = partsOf(name);
    if (parts.length === 0 && file) throw refuse(`${quote(name)} is not a name for a file`);
    this.#claim(parts, file);
    return parts.join("/");
  }

  #count(name: string, size: number): void {
    if (size > sourceLimits.fileBytes) throw refuse(`${quote(name)} is larger than 64 MiB`);
    this.#bytes += size;
    if (this.#bytes > sourceLimits.totalBytes) throw refuse("the source unpacks to more than 512 MiB");
  }

  #claim(parts: readonly string[], file: boolean): void {
    for (let length = 1; length <= parts.length; length++) {
      const path = parts.slice(0, length).join("/");
      const last = length === parts.length;
      const folded = path.normalize("NFKC").toLowerCase();
      const before = this.#seen.get(folded);
      if (before === undefined) {
        this.#seen.set(folded, { path, file: last && file });
      } else if (before.path !== path) {
        throw refuse(`${quote(path)} and ${quote(before.path)} are the same name on some file systems`);
      } else if (before.file || (last && file)) {
        throw refuse(`${quote(path)} is there twice`);
      }
    }
  }
}

function partsOf(name: string): string[] {
  if (Buffer.byteLength(name) > sourceLimits.pathBytes)
    throw refuse(`a path is longer than ${sourceLimits.pathBytes} bytes: ${quote(name)}`);
  if (name === "") throw refuse("an entry has no name");
  if (/[\p{Cc}\\\ufffd]/u.test(name))
    throw refuse(`${quote(name)} has a control character, a backslash or bytes that are not UTF-8 in its name`);
  if (name.startsWith("/") || /^[A-Za-z]:/.test(name)) throw refuse(`${quote(name)} is an absolute path`);
  const parts = name.split("/").filter((part) => part !== "." && part !== "");
  if (parts.includes("..")) throw refuse(`${quote(name)} leads out of the source`);
  if (parts.length > sourceLimits.depth)
    throw refuse(`${quote(name)} is nested deeper than ${sourceLimits.depth} folders`);
  for (const part of parts) {
    if (Buffer.byteLength(part) > sourceLimits.nameBytes)
      throw refuse(`a name is longer than ${sourceLimits.nameBytes} bytes: ${quote(part)}`);
  }
  return parts;
}

function refuse(detail: string): MicroError {
  return MicroError.badRequest(id, `${detail}. Nothing was unpacked`);
}

function quote(name: string): string {
  return JSON.stringify(name.length > 120 ? `${name.slice(0, 120)}…` : name);
}

function isSystemError(error: unknown): boolean {
  return error instanceof Error && "syscall" in error;
}
