import type { Entry } from "@microts/proto/store";
import type { StoredRecord, StoreMatch, StoreRecord } from "./driver.ts";
import { bytesOfKey, keyOfBytes } from "./keys.ts";

/** How records and keys travel in the rpcs that Micro v3 doesn't have. */

export type EntryFields = Omit<Entry, "$typeName" | "$unknown">;

export function fieldsOfRecord(record: StoreRecord & Partial<StoredRecord>): EntryFields {
  const { key, value, metadata, expiresAt, revision = 0 } = record;
  // 0 would mean that it never expires.
  const ttlMs = expiresAt === undefined ? 0 : Math.max(1, expiresAt.getTime() - Date.now());
  return { key: bytesOfKey(key), value, metadata: { ...metadata }, ttlMs: BigInt(ttlMs), revision: BigInt(revision) };
}

export function recordOfFields({ key, value, metadata, ttlMs, revision }: EntryFields): StoredRecord {
  const expiresAt = ttlMs > 0n ? new Date(Date.now() + Number(ttlMs)) : undefined;
  return { key: keyOfBytes(key), value, metadata, expiresAt, revision: Number(revision) };
}

export function fieldsOfMatch({ prefix, suffix }: StoreMatch): { prefix: Uint8Array; suffix: Uint8Array } {
  return { prefix: bytesOfKey(prefix), suffix: bytesOfKey(suffix) };
}

export function matchOfFields({ prefix, suffix }: { prefix: Uint8Array; suffix: Uint8Array }): StoreMatch {
  return { prefix: keyOfBytes(prefix), suffix: keyOfBytes(suffix) };
}
