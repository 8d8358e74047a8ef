import type { BlockEntry, BlockListDriver } from "@microts/blocks/api";
import { platformDatabase, type StoreDriver, type StoreRecord } from "@microts/blocks/store";

const table = { database: platformDatabase, table: "blocklist" } as const;
const everything = { prefix: "", suffix: "", limit: 0, offset: 0, order: "asc" } as const;

/** The block list in a table of a store, as durable as that. Does not close the store it was given. */
export class EmbeddedBlockList implements BlockListDriver {
  readonly name = "embedded";
  readonly #store: StoreDriver;

  constructor(store: StoreDriver) {
    this.#store = store;
  }

  async add(entry: BlockEntry, signal: AbortSignal): Promise<void> {
    const record: StoreRecord = { key: keyOf(entry), value: new Uint8Array(), metadata: {}, expiresAt: undefined };
    await this.#store.write(table, record, signal);
  }

  async remove(entry: BlockEntry, signal: AbortSignal): Promise<void> {
    await this.#store.delete(table, keyOf(entry), signal);
  }

  async list(signal: AbortSignal): Promise<BlockEntry[]> {
    const entries = (await this.#store.keys(table, everything, signal)).map(entryOf);
    return entries.sort((a, b) => compare(a.namespace, b.namespace) || compare(a.id, b.id));
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** A namespace has no colon; an id may. */
function keyOf({ id, namespace }: BlockEntry): string {
  return `${namespace}:${id}`;
}

function entryOf(key: string): BlockEntry {
  const colon = key.indexOf(":");
  return { namespace: key.slice(0, colon), id: key.slice(colon + 1) };
}

function compare(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
