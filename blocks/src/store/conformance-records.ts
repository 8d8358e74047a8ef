import type { StoreDriver, StoreQuery, StoreRecord } from "./driver.ts";

/** What the tests of the conformance suite stand on, write and read. */

/** Registers one test; `it` of any runner fits. */
export type StoreTest = (name: string, run: () => Promise<void>) => unknown;

export interface StoreHarness {
  /** An empty store. */
  open(): Promise<StoreDriver>;
  /** How exactly expiry is kept. Default 1 ms. */
  readonly expiryGrainMs?: number;
}

export const signal: AbortSignal = new AbortController().signal;
export const table = { database: "acme", table: "posts" };
export const all: StoreQuery = { prefix: "", suffix: "", limit: 0, offset: 0, order: "asc" };

export function record(key: string, value = key, extra: Partial<StoreRecord> = {}): StoreRecord {
  return { key, value: new TextEncoder().encode(value), metadata: {}, expiresAt: undefined, ...extra };
}

export function text(read: StoreRecord | undefined): string | undefined {
  return read && new TextDecoder().decode(read.value);
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
