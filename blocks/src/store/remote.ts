import { MicroError } from "@microts/core";
import { openStream, type RpcClient, type ServiceClient, serviceClient } from "@microts/core/rpc";
import { Store as StoreService, type WatchResponse } from "@microts/proto/store";
import type {
  StoreChange,
  StoreDriver,
  StoredRecord,
  StoreEvent,
  StoreMark,
  StoreMatch,
  StoreQuery,
  StoreRecord,
  StoreTable,
  StoreWatch,
} from "./driver.ts";
import { bytesOfKey, keyOfBytes } from "./keys.ts";
import { type EntryFields, fieldsOfMatch, fieldsOfRecord, recordOfFields } from "./wire.ts";

/** The platform's store over RPC. */
export class RemoteStore implements StoreDriver {
  readonly name = "remote";
  readonly #rpc: RpcClient;
  readonly #store: ServiceClient<(typeof StoreService)["method"]>;

  constructor(rpc: RpcClient) {
    this.#rpc = rpc;
    this.#store = serviceClient(StoreService, rpc, "store");
  }

  async read(table: StoreTable, key: string, signal: AbortSignal): Promise<StoredRecord | undefined> {
    const { entry } = await this.#store.get({ ...table, key: bytesOfKey(key) }, { signal });
    return entry && recordOfFields(entry);
  }

  async list(table: StoreTable, query: StoreQuery, signal: AbortSignal): Promise<StoredRecord[]> {
    return (await this.#scan(table, query, false, signal)).map(recordOfFields);
  }

  async keys(table: StoreTable, query: StoreQuery, signal: AbortSignal): Promise<string[]> {
    return (await this.#scan(table, query, true, signal)).map(({ key }) => keyOfBytes(key));
  }

  async count(table: StoreTable, match: StoreMatch, signal: AbortSignal): Promise<number> {
    return Number((await this.#store.count({ ...table, ...fieldsOfMatch(match) }, { signal })).count);
  }

  async write(table: StoreTable, record: StoreRecord, signal: AbortSignal): Promise<number> {
    const changes = [fieldsOfChange({ key: record.key, record, ifRevision: undefined })];
    return Number((await this.#store.commit({ ...table, changes }, { signal })).revision);
  }

  async delete(table: StoreTable, key: string, signal: AbortSignal): Promise<void> {
    const changes = [fieldsOfChange({ key, record: undefined, ifRevision: undefined })];
    await this.#store.commit({ ...table, changes }, { signal });
  }

  async commit(table: StoreTable, changes: readonly StoreChange[], signal: AbortSignal): Promise<number | undefined> {
    try {
      const request = { ...table, changes: changes.map(fieldsOfChange) };
      return Number((await this.#store.commit(request, { signal })).revision);
    } catch (error) {
      if (error instanceof MicroError && error.code === 409) return undefined;
      throw error;
    }
  }

  async watch(table: StoreTable, prefix: string, after: number | undefined, signal: AbortSignal): Promise<StoreWatch> {
    const from = { resume: after !== undefined, after: BigInt(after ?? 0) };
    const request = { ...table, prefix: bytesOfKey(prefix), ...from };
    const replies = await openStream(StoreService.method.watch, this.#rpc, "store", request, { signal });
    const responses = replies[Symbol.asyncIterator]();
    const first = await responses.next();
    if (first.done) throw MicroError.unavailable("store.Store.Watch", "the server ended the watch");
    const events = eventsOf({ [Symbol.asyncIterator]: () => responses }, signal);
    return { revision: Number(first.value.revision), [Symbol.asyncIterator]: () => events };
  }

  async *snapshot(table: StoreTable, signal: AbortSignal): AsyncGenerator<StoredRecord[], void, undefined> {
    for await (const { entries } of this.#store.snapshot({ ...table }, { signal })) yield entries.map(recordOfFields);
  }

  async databases(signal: AbortSignal): Promise<string[]> {
    return (await this.#store.databases({}, { signal })).databases;
  }

  async tables(database: string, signal: AbortSignal): Promise<string[]> {
    return (await this.#store.tables({ database }, { signal })).tables;
  }

  async #scan(table: StoreTable, query: StoreQuery, keysOnly: boolean, signal: AbortSignal): Promise<EntryFields[]> {
    const { limit, offset, order } = query;
    const page = { limit: BigInt(limit), offset: BigInt(offset), descending: order === "desc" };
    const entries: EntryFields[] = [];
    const replies = this.#store.scan({ ...table, ...fieldsOfMatch(query), ...page, keysOnly }, { signal });
    for await (const reply of replies) for (const entry of reply.entries) entries.push(entry);
    return entries;
  }

  /** The RPC client is its owner's to close. */
  async [Symbol.asyncDispose](): Promise<void> {}
}

/** Without an error at the end that the signal itself brought about. */
async function* eventsOf(
  replies: AsyncIterable<WatchResponse>,
  signal: AbortSignal,
): AsyncGenerator<StoreEvent | StoreMark, void, undefined> {
  try {
    for await (const { events, revision } of replies) {
      if (events.length === 0) yield { key: undefined, revision: Number(revision) };
      for (const { entry, gone } of events) {
        if (entry === undefined) continue;
        const record = recordOfFields(entry);
        yield { key: record.key, revision: record.revision, record: gone ? undefined : record };
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** Something that has expired already is deleted: a life of 0 would mean that it never ends. */
function fieldsOfChange({ key, record, ifRevision }: StoreChange) {
  const condition = { conditional: ifRevision !== undefined, revision: BigInt(ifRevision ?? 0) };
  const isGone = record === undefined || (record.expiresAt !== undefined && record.expiresAt.getTime() <= Date.now());
  return isGone
    ? { entry: { key: bytesOfKey(key) }, delete: true, ...condition }
    : { entry: fieldsOfRecord(record), ...condition };
}
