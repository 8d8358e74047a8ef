import type { Now } from "./clock.ts";
import type { EmbeddedDatabase } from "./sqlite/index.ts";
import { readManySql, readSql } from "./store-queries.ts";
import { contentOfRow, paramOfKey, type StoredContent } from "./store-rows.ts";

interface Waiting {
  readonly key: string;
  readonly signal: AbortSignal;
  resolve(content: StoredContent | undefined): void;
  reject(reason: unknown): void;
}

/** What `readManySql` says of a record: which of the keys it has, and how many of the bytes are its value; null when it has to be read alone. */
type Found = readonly [
  at: number,
  revision: number | null,
  checksum: number | null,
  expires: number | null,
  metadata: string | null,
  size: number | null,
];

/** With the largest value that is read along with others, some MiB at once. */
const maxKeys = 128;
const never = new AbortController().signal;
const noBytes = new Uint8Array();

/** Reads records by their keys. Those of a table that are asked for in one moment are one statement: that costs half as much for each. */
export class StoreReads {
  readonly #database: EmbeddedDatabase;
  readonly #now: Now;
  readonly #waiting = new Map<number, Waiting[]>();

  constructor(database: EmbeddedDatabase, now: Now) {
    this.#database = database;
    this.#now = now;
  }

  /** Rejects with 500 for a record that isn't what was written. */
  read(tableId: number, key: string, signal: AbortSignal): Promise<StoredContent | undefined> {
    if (!key.isWellFormed()) return this.#readOne(tableId, key, signal);
    return new Promise((resolve, reject) => {
      const one = { key, signal, resolve, reject };
      const others = this.#waiting.get(tableId);
      if (others !== undefined) {
        others.push(one);
        if (others.length === maxKeys) this.#send(tableId);
        return;
      }
      this.#waiting.set(tableId, [one]);
      // When everything that has come from the network has been looked at.
      setImmediate(() => this.#send(tableId));
    });
  }

  #send(tableId: number): void {
    const asked = this.#waiting.get(tableId);
    if (asked === undefined) return;
    this.#waiting.delete(tableId);
    const wanted = asked.filter(({ signal, reject }) => {
      if (signal.aborted) reject(signal.reason);
      return !signal.aborted;
    });
    const [first] = wanted;
    if (first !== undefined && wanted.length === 1) this.#alone(tableId, first);
    else if (first !== undefined) void this.#readMany(tableId, wanted);
  }

  #alone(tableId: number, { key, signal, resolve, reject }: Waiting): void {
    this.#readOne(tableId, key, signal).then(resolve, reject);
  }

  async #readOne(tableId: number, key: string, signal: AbortSignal): Promise<StoredContent | undefined> {
    const row = await this.#database.readOne(readSql, [tableId, paramOfKey(key), this.#now()], signal);
    return row && contentOfRow(tableId, key, row);
  }

  async #readMany(tableId: number, wanted: readonly Waiting[]): Promise<void> {
    const keys = JSON.stringify(wanted.map(({ key }) => key));
    let found: readonly Found[];
    let bytes: Uint8Array = noBytes;
    try {
      const row = await this.#database.readOne(readManySql, [keys, tableId, this.#now()], never);
      found = JSON.parse(String(row?.[0]));
      if (row?.[1] instanceof Uint8Array) bytes = row[1];
    } catch {
      // One that can't be read must not keep the others from their callers, and its own caller has to know why.
      for (const one of wanted) this.#alone(tableId, one);
      return;
    }
    const unsettled: (Waiting | undefined)[] = [...wanted];
    let start = 0;
    for (const [at, revision, checksum, expires, metadata, size] of found) {
      const one = unsettled[at];
      unsettled[at] = undefined;
      if (one === undefined) continue;
      if (size === null) {
        this.#alone(tableId, one);
        continue;
      }
      const value = new Uint8Array(bytes.buffer, bytes.byteOffset + start, size);
      start += size;
      try {
        one.resolve(contentOfRow(tableId, one.key, [revision, checksum, expires, metadata, value]));
      } catch (error) {
        one.reject(error);
      }
    }
    for (const one of unsettled) one?.resolve(undefined);
  }
}
