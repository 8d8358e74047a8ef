import { maxDocumentBytes } from "@microts/blocks/config";
import { platformDatabase, type StoreDriver, type StoreTable } from "@microts/blocks/store";
import { MicroError } from "@microts/core";
import { type ConfigObject, parseDocument } from "./document.ts";

/** The wrapped data keys of a namespace, as they are kept. */
export interface KeyRecord {
  /** The one that seals; the others only open what isn't sealed anew yet. */
  readonly current: string;
  readonly keys: readonly WrappedKey[];
}

export interface WrappedKey {
  readonly id: string;
  /** The root key that it is wrapped with. */
  readonly root: string;
  /** Base64. */
  readonly wrapped: string;
}

const documents: StoreTable = { database: platformDatabase, table: "config" };
const keyrings: StoreTable = { database: platformDatabase, table: "config-keys" };
const never = new AbortController().signal;
const everything = { prefix: "", suffix: "", limit: 0, offset: 0, order: "asc" } as const;

/** Where config is kept: for each namespace a document and its data keys. What is written is never cut short by a caller who goes away. */
export class ConfigTables {
  readonly #store: StoreDriver;

  constructor(store: StoreDriver) {
    this.#store = store;
  }

  async document(namespace: string, signal: AbortSignal): Promise<ConfigObject | undefined> {
    const text = await this.#read(documents, namespace, signal);
    return text === undefined ? undefined : parseDocument(text);
  }

  /** Throws 413 for a document that is too large. */
  async writeDocument(namespace: string, root: ConfigObject): Promise<void> {
    const value = Buffer.from(JSON.stringify(root));
    if (value.length > maxDocumentBytes) {
      const size = `${value.length} bytes instead of at most ${maxDocumentBytes}`;
      throw MicroError.tooLarge(
        "config.Config.Set",
        `the document of "${namespace}" would have ${size}. Keep large values in the store`,
      );
    }
    await this.#write(documents, namespace, value);
  }

  deleteDocument(namespace: string): Promise<void> {
    return this.#store.delete(documents, namespace, never);
  }

  async keys(namespace: string, signal: AbortSignal): Promise<KeyRecord | undefined> {
    const text = await this.#read(keyrings, namespace, signal);
    return text === undefined ? undefined : (JSON.parse(text) as KeyRecord);
  }

  async writeKeys(namespace: string, record: KeyRecord): Promise<void> {
    await this.#write(keyrings, namespace, Buffer.from(JSON.stringify(record)));
  }

  deleteKeys(namespace: string): Promise<void> {
    return this.#store.delete(keyrings, namespace, never);
  }

  /** Namespaces that have data keys. */
  namespacesWithKeys(): Promise<string[]> {
    return this.#store.keys(keyrings, everything, never);
  }

  async #read(table: StoreTable, namespace: string, signal: AbortSignal): Promise<string | undefined> {
    const record = await this.#store.read(table, namespace, signal);
    return record === undefined ? undefined : Buffer.from(record.value).toString();
  }

  async #write(table: StoreTable, namespace: string, value: Uint8Array): Promise<void> {
    await this.#store.write(table, { key: namespace, value, metadata: {}, expiresAt: undefined }, never);
  }
}
