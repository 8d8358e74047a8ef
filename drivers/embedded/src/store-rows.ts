import { crc32 } from "node:zlib";
import { bytesOfKey, keyOfBytes, type StoredRecord, type StoreRecord } from "@microts/blocks/store";
import { MicroError } from "@microts/core";
import type { Row, SqlValue } from "./sqlite/index.ts";

/** How records lie in the database. Keys are blobs there, ordered by their bytes; most are text and travel as such. */

/** For `CAST(? AS BLOB)`. */
export function paramOfKey(key: string): string | Uint8Array {
  return key.isWellFormed() ? key : bytesOfKey(key);
}

/** The value of the column `is_raw`. */
export function rawFlag(key: string): number | null {
  return key.isWellFormed() ? null : 1;
}

/** Selects a key of the table given: text, or bytes when it isn't text. */
export function keyColumn(from: string): string {
  return `iif(${from}.is_raw, ${from}.key, CAST(${from}.key AS TEXT))`;
}

/** Of `keyColumn`. */
export function keyOfColumn(value: SqlValue | undefined): string {
  return value instanceof Uint8Array ? keyOfBytes(value) : String(value);
}

/** What a version has besides its key. */
export interface Content {
  readonly value: Uint8Array;
  /** JSON, or null for none. */
  readonly metadata: string | null;
  /** By the store's clock. */
  readonly expiresAt: number | null;
}

/** A version as it is stored. */
export type StoredContent = Content & Pick<StoredRecord, "revision">;

export function contentOf({ value, metadata }: StoreRecord, expiresAt: number | null): Content {
  const json = Object.keys(metadata).length === 0 ? null : JSON.stringify(metadata);
  return { value, metadata: json, expiresAt };
}

/** Of everything that the record says, so that a changed bit shows. */
export function checksumOf(tableId: number, key: string, { value, metadata, expiresAt }: Content): number {
  const about = `${tableId} ${expiresAt ?? ""} ${metadata ?? ""} `;
  const name = paramOfKey(key);
  // Each call costs more than a short text.
  const start = typeof name === "string" ? crc32(about + name) : crc32(name, crc32(about));
  return crc32(value, start);
}

/** Selects, from a version under this name, what `contentOfRow` takes. */
export function contentColumns(version: string): string {
  return ["revision", "checksum", "expires_at", "metadata", "value"].map((name) => `${version}.${name}`).join(", ");
}

/** The content of a row of `contentColumns`, and its revision. Throws 500 for a record that isn't what was written. */
export function contentOfRow(tableId: number, key: string, row: Row): StoredContent {
  const [revision, checksum, expires, text, bytes] = row;
  const value = bytes instanceof Uint8Array ? bytes : new Uint8Array();
  const metadata = typeof text === "string" ? text : null;
  const expiresAt = typeof expires === "number" ? expires : null;
  const content = { value, metadata, expiresAt };
  // Records of the first versions of the file have no checksum.
  const isWhole = revision !== null && (checksum === null || checksum === checksumOf(tableId, key, content));
  if (!isWhole) {
    throw MicroError.internal(
      "store",
      `the record ${JSON.stringify(key)} is damaged on the disk: write it anew, delete it, or restore a backup`,
    );
  }
  return { ...content, revision: Number(revision) };
}
