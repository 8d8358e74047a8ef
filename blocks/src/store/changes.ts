import { MicroError } from "@microts/core";
import type { StoreChange, StoreRecord } from "./driver.ts";
import { sizeOfKey } from "./keys.ts";
import { checkKey } from "./names.ts";

/** Largest value: 16 MiB. Larger things are blobs. */
export const maxValueBytes = 16 * 1024 * 1024;
/** Largest metadata of a record, names and values together: 64 KiB. */
export const maxMetadataBytes = 64 * 1024;
/** Most changes that take effect together. */
const maxChanges = 1_000;
/** Largest changes that take effect together, keys and values in all: 24 MiB. */
const maxChangesBytes = 24 * 1024 * 1024;

/** What a record has besides key and value. */
export interface RecordOptions {
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  /** The record is gone after so many milliseconds, at least 1. */
  readonly ttlMs?: number | undefined;
  /** The record is gone from then on; a time that has passed deletes it. `ttlMs` wins. */
  readonly expiresAt?: Date | undefined;
}

/** One of several changes that take effect together. */
export type Change = (
  | ({ /** The key. */ readonly write: string; readonly value: Uint8Array | string } & RecordOptions)
  | { /** The key. */ readonly delete: string }
) & {
  /** The revision that the record there has to have, 0 for none. Default: whatever is there. */
  readonly ifRevision?: number | undefined;
};

/** Checked changes. Throws 400 or 413. */
export function changesOf(changes: readonly Change[], id: string): StoreChange[] {
  if (changes.length > maxChanges)
    throw MicroError.tooLarge(
      id,
      `${changes.length} changes at once; the limit is ${maxChanges}. Make several commits`,
    );
  const checked = changes.map((change) => changeOf(change, id));
  const keys = new Set<string>();
  let bytes = 0;
  for (const { key, record } of checked) {
    if (keys.has(key)) throw MicroError.badRequest(id, `${JSON.stringify(key)} is changed twice at once`);
    keys.add(key);
    bytes += sizeOfKey(key) + (record?.value.byteLength ?? 0);
  }
  if (bytes > maxChangesBytes)
    throw MicroError.tooLarge(
      id,
      `the changes have ${bytes} bytes; the limit is ${maxChangesBytes}. Make several commits`,
    );
  return checked;
}

function changeOf(change: Change, id: string): StoreChange {
  const { ifRevision } = change;
  if (ifRevision !== undefined && !(Number.isSafeInteger(ifRevision) && ifRevision >= 0))
    throw MicroError.badRequest(id, `${ifRevision} is no revision: expected a whole number from 0`);
  const key = checkKey("write" in change ? change.write : change.delete, id);
  return { key, record: "write" in change ? recordOf(key, change.value, change, id) : undefined, ifRevision };
}

/** A checked record. Throws 400 or 413. */
export function recordOf(
  key: string,
  value: Uint8Array | string,
  { metadata = {}, ttlMs, expiresAt }: RecordOptions,
  id: string,
): StoreRecord {
  const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value;
  if (bytes.byteLength > maxValueBytes) {
    throw MicroError.tooLarge(
      id,
      `the value of "${key}" has ${bytes.byteLength} bytes; the limit is ${maxValueBytes}. Write a blob instead`,
    );
  }
  checkMetadata(key, metadata, id);
  if (ttlMs !== undefined && !(ttlMs >= 1 && Number.isFinite(ttlMs))) {
    throw MicroError.badRequest(id, `a record can't live ${ttlMs} ms: expected at least 1`);
  }
  const expires = ttlMs === undefined ? expiresAt : new Date(Date.now() + ttlMs);
  if (Number.isNaN(expires?.getTime())) throw MicroError.badRequest(id, "the expiry is not a time a date can hold");
  return { key, value: bytes, metadata, expiresAt: expires };
}

function checkMetadata(key: string, metadata: Readonly<Record<string, string>>, id: string): void {
  let size = 0;
  for (const [name, value] of Object.entries(metadata)) {
    if (!name.isWellFormed() || !value.isWellFormed())
      throw MicroError.badRequest(id, `the metadata of "${key}" is not valid Unicode`);
    size += Buffer.byteLength(name) + Buffer.byteLength(value);
  }
  if (size > maxMetadataBytes)
    throw MicroError.tooLarge(id, `the metadata of "${key}" has ${size} bytes; the limit is ${maxMetadataBytes}`);
}
