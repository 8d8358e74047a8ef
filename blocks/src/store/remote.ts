import { MicroError } from "@microts/core";
import { type RpcClient, type ServiceClient, serviceClient } from "@microts/core/rpc";
import { type Record as RecordMessage, Store as StoreService } from "@microts/proto/store";
import type { StoreDriver, StoreQuery, StoreRecord, StoreTable } from "./driver.ts";

/** So many records are fetched at a time when the wire has no query for what is asked. */
const readsAtOnce = 16;

/** The platform's store over RPC. Expiry travels in whole seconds, rounded up. */
export class RemoteStore implements StoreDriver {
  readonly name = "remote";
  readonly #store: ServiceClient<(typeof StoreService)["method"]>;

  constructor(rpc: RpcClient) {
    this.#store = serviceClient(StoreService, rpc, "store");
  }

  async read(table: StoreTable, key: string, signal: AbortSignal): Promise<StoreRecord | undefined> {
    try {
      const { records } = await this.#store.read({ key, options: { ...table } }, { signal });
      return records[0] && recordOf(records[0]);
    } catch (error) {
      if (error instanceof MicroError && error.code === 404) return undefined;
      throw error;
    }
  }

  /** `Read` takes one text as prefix, suffix or both (wire §12): two different ones are looked up by `List` first. */
  async list(table: StoreTable, query: StoreQuery, signal: AbortSignal): Promise<StoreRecord[]> {
    const { prefix, suffix } = query;
    if (prefix !== "" && suffix !== "" && prefix !== suffix)
      return this.#readAll(table, await this.keys(table, query, signal), signal);
    const flags = { prefix: prefix !== "" || suffix === "", suffix: suffix !== "" };
    const { records } = await this.#store.read(
      { key: prefix || suffix, options: { ...table, ...flags, ...pageOf(query) } },
      { signal },
    );
    return records.map(recordOf);
  }

  async keys(table: StoreTable, query: StoreQuery, signal: AbortSignal): Promise<string[]> {
    const { prefix, suffix } = query;
    const keys: string[] = [];
    const replies = this.#store.list({ options: { ...table, prefix, suffix, ...pageOf(query) } }, { signal });
    for await (const reply of replies) for (const key of reply.keys) keys.push(key);
    return keys;
  }

  async write(table: StoreTable, { key, value, metadata, expiresAt }: StoreRecord, signal: AbortSignal): Promise<void> {
    const seconds = expiresAt === undefined ? 0 : Math.ceil((expiresAt.getTime() - Date.now()) / 1000);
    // 0 would mean that it never expires.
    if (expiresAt !== undefined && seconds < 1) return this.delete(table, key, signal);
    const fields = Object.entries(metadata).map(([name, text]) => [name, { type: "string", value: text }] as const);
    const record = { key, value, expiry: BigInt(seconds), metadata: Object.fromEntries(fields) };
    await this.#store.write({ record, options: { ...table } }, { signal });
  }

  async delete(table: StoreTable, key: string, signal: AbortSignal): Promise<void> {
    await this.#store.delete({ key, options: { ...table } }, { signal });
  }

  async databases(signal: AbortSignal): Promise<string[]> {
    return (await this.#store.databases({}, { signal })).databases;
  }

  async tables(database: string, signal: AbortSignal): Promise<string[]> {
    return (await this.#store.tables({ database }, { signal })).tables;
  }

  async #readAll(table: StoreTable, keys: readonly string[], signal: AbortSignal): Promise<StoreRecord[]> {
    const found: (StoreRecord | undefined)[] = [];
    for (let at = 0; at < keys.length; at += readsAtOnce) {
      found.push(...(await Promise.all(keys.slice(at, at + readsAtOnce).map((key) => this.read(table, key, signal)))));
    }
    return found.filter((record) => record !== undefined);
  }

  /** The RPC client is its owner's to close. */
  async [Symbol.asyncDispose](): Promise<void> {}
}

function pageOf({ limit, offset, order }: StoreQuery): { limit: bigint; offset: bigint; order: string } {
  return { limit: BigInt(limit), offset: BigInt(offset), order };
}

function recordOf({ key, value, expiry, metadata }: RecordMessage): StoreRecord {
  return {
    key,
    value,
    metadata: Object.fromEntries(Object.entries(metadata).map(([name, field]) => [name, field.value])),
    expiresAt: expiry === 0n ? undefined : new Date(Date.now() + Number(expiry) * 1000),
  };
}
