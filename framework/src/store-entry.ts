import type { StoredRecord } from "@microts/blocks/store";
import { MicroError } from "@microts/core";

/** One record with its value as JSON. */
export interface Entry<T> {
  readonly key: string;
  readonly value: T;
  readonly metadata: Readonly<Record<string, string>>;
  /** When it goes by itself; undefined for never. */
  readonly expiresAt: Date | undefined;
  /** Given by the change that wrote it; every later change of the store has a higher one. */
  readonly revision: number;
}

export function entryOf<T>({ key, value, metadata, expiresAt, revision }: StoredRecord): Entry<T> {
  return { key, value: parse<T>(key, value), metadata, expiresAt, revision };
}

function parse<T>(key: string, value: Uint8Array): T {
  try {
    return JSON.parse(Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString()) as T;
  } catch {
    throw MicroError.internal("store.Store.Read", `the value of "${key}" is not JSON`);
  }
}
