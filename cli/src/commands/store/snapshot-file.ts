import type { Hash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { CommandError, usageError } from "../../failure.ts";
import { writeWhole } from "../../whole-file.ts";

/**
 * Records in a file of JSON lines: a head, one line a record in the order of tables and keys, and an end with their number and a checksum of
 * all before it. What is text stands as such, other bytes in base64.
 */

export interface SnapshotRecord {
  readonly table: string;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly metadata: Readonly<Record<string, string>>;
  readonly expiresAt: Date | undefined;
}

export interface SnapshotHead {
  readonly database: string;
  /** Those that have no record too. */
  readonly tables: readonly string[];
  readonly createdAt: Date;
}

const kind = "store snapshot";
const format = 1;
const ioBytes = 256 * 1024;

/** A path, or a `file:` URL as Micro v3 has it. */
export function snapshotPath(text: string): string {
  if (text === "-") throw usageError("a snapshot is a file, which is read twice and written all at once: name one");
  if (/^file:\/\//.test(text)) return fileURLToPath(text);
  if (/^[a-z][a-z0-9+.-]+:\/\//.test(text)) throw usageError(`"${text}" is no file: write a path, or file:///path`);
  return text;
}

/** Writes the file all at once: what was there before stays when the records break off. Resolves with their number. */
export async function writeSnapshot(
  path: string,
  head: SnapshotHead,
  records: AsyncIterable<SnapshotRecord>,
  onRecord: () => void,
): Promise<number> {
  // For nobody else: it has everything that the store has.
  return writeWhole(path, 0o600, async (file) => {
    const lines = new LineWriter(file);
    const { database, tables, createdAt } = head;
    await lines.write({ micro: kind, format, database, tables, created: createdAt.toISOString() });
    let count = 0;
    for await (const record of records) {
      await lines.write(jsonOf(record));
      count++;
      onRecord();
    }
    await lines.write({ records: count, sha256: lines.digest() });
    await lines.end();
    return count;
  });
}

/** Reads the whole file once to see that nothing of it is missing or altered. */
export async function checkSnapshot(path: string): Promise<SnapshotHead & { readonly records: number }> {
  let head: SnapshotHead | undefined;
  let records = 0;
  for await (const line of linesOf(path)) {
    if (line.kind === "head") head = line.head;
    else if (line.kind === "end") return { ...(head ?? unusable(path, "it has no head")), records };
    else records++;
  }
  return unusable(path, "its end is missing");
}

/** The records of a file that `checkSnapshot` found whole. */
export async function* readSnapshot(path: string): AsyncGenerator<SnapshotRecord, void, undefined> {
  for await (const line of linesOf(path)) if (line.kind === "record") yield line.record;
}

type Line =
  | { readonly kind: "head"; readonly head: SnapshotHead }
  | { readonly kind: "record"; readonly record: SnapshotRecord }
  | { readonly kind: "end" };

async function* linesOf(path: string): AsyncGenerator<Line, void, undefined> {
  await using file = await openOld(path);
  const hash = sha256();
  let number = 0;
  for await (const text of textLines(file)) {
    number++;
    const line = parse(path, number, text);
    if ("sha256" in line) {
      const isWhole = line["sha256"] === hash.digest("hex") && line["records"] === number - 2;
      if (!isWhole) unusable(path, "its checksum is not that of its records");
      yield { kind: "end" };
      return;
    }
    hash.update(`${text}\n`);
    if (number === 1) yield { kind: "head", head: headOf(path, line) };
    else yield { kind: "record", record: recordOf(path, number, line) };
  }
}

/** Ended by newlines alone: `readline` would break at U+2028 too, which JSON may hold. */
async function* textLines(file: FileHandle): AsyncGenerator<string, void, undefined> {
  let rest = "";
  for await (const chunk of file.createReadStream({ encoding: "utf8", autoClose: false, highWaterMark: ioBytes })) {
    const lines = `${rest}${chunk}`.split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest !== "") yield rest;
}

function parse(path: string, number: number, text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return value as Readonly<Record<string, unknown>>;
  } catch {
    // Said below.
  }
  return unusable(path, `line ${number} is no JSON object`);
}

function headOf(path: string, line: Readonly<Record<string, unknown>>): SnapshotHead {
  const { micro, format: found, database, tables, created } = line;
  if (micro !== kind || typeof database !== "string" || !Array.isArray(tables)) return unusable(path, "it is none");
  if (found !== format)
    return unusable(path, `its format is ${found} and this version of micro reads ${format}: use the one that made it`);
  return { database, tables: tables.map(String), createdAt: new Date(String(created)) };
}

function jsonOf({ table, key, value, metadata, expiresAt }: SnapshotRecord): Record<string, unknown> {
  return {
    table,
    ...bytesJson("key", key),
    ...bytesJson("value", value),
    ...(Object.keys(metadata).length > 0 && { metadata }),
    ...(expiresAt !== undefined && { expires: expiresAt.toISOString() }),
  };
}

function recordOf(path: string, number: number, line: Readonly<Record<string, unknown>>): SnapshotRecord {
  const { table, metadata = {}, expires } = line;
  const key = bytesOf(line, "key");
  const value = bytesOf(line, "value");
  if (typeof table !== "string" || key === undefined || value === undefined)
    return unusable(path, `line ${number} is no record`);
  const expiresAt = typeof expires === "string" ? new Date(expires) : undefined;
  return { table, key, value, metadata: metadata as Record<string, string>, expiresAt };
}

function bytesJson(name: string, bytes: Uint8Array): Record<string, string> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = buffer.toString();
  return Buffer.from(text).equals(buffer) ? { [name]: text } : { [`${name}_base64`]: buffer.toString("base64") };
}

function bytesOf(line: Readonly<Record<string, unknown>>, name: string): Uint8Array | undefined {
  const text = line[name];
  if (typeof text === "string") return Buffer.from(text);
  const base64 = line[`${name}_base64`];
  return typeof base64 === "string" ? Buffer.from(base64, "base64") : undefined;
}

function unusable(path: string, why: string): never {
  throw new CommandError(1, `${path} is no usable snapshot of a store: ${why}`);
}

async function openOld(path: string): Promise<FileHandle> {
  try {
    return await open(path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new CommandError(1, `can't read ${path}: ${code === "ENOENT" ? "there is no such file" : message}`, 404);
  }
}

class LineWriter {
  readonly #file: FileHandle;
  readonly #hash: Hash = sha256();
  #waiting = "";

  constructor(file: FileHandle) {
    this.#file = file;
  }

  async write(line: Record<string, unknown>): Promise<void> {
    const text = `${JSON.stringify(line)}\n`;
    this.#hash.update(text);
    this.#waiting += text;
    if (this.#waiting.length > ioBytes) await this.end();
  }

  /** Of what was written so far. */
  digest(): string {
    return this.#hash.copy().digest("hex");
  }

  async end(): Promise<void> {
    await this.#file.writeFile(this.#waiting);
    this.#waiting = "";
  }
}

/** Not imported: all store commands would load node:crypto, and only those with a file need it. */
function sha256(): Hash {
  return process.getBuiltinModule("node:crypto").createHash("sha256");
}
