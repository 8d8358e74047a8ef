import { type ConfigDriver, type Json, maxDocumentBytes } from "@microts/blocks/config";
import { platformDatabase, type StoreDriver, type StoreTable } from "@microts/blocks/store";
import { MicroError } from "@microts/core";
import {
  type ConfigNode,
  type ConfigObject,
  deleteAt,
  emptyNode,
  jsonOf,
  nodeAt,
  parseDocument,
  setAt,
} from "./config-document.ts";
import { ConfigSecrets } from "./config-secrets.ts";
import { ConfigWatchers } from "./config-watchers.ts";
import { KeyedMutex } from "./keyed-mutex.ts";

export interface EmbeddedConfigOptions {
  readonly store: StoreDriver;
  /** 32 bytes. Without it secrets are sealed: they can be neither set nor read; the rest works. */
  readonly key: Uint8Array | undefined;
}

const table: StoreTable = { database: platformDatabase, table: "config" };
const never = new AbortController().signal;
const mask = "[secret]";

/** One document for each namespace as a record of a store, for the one process that owns it. The store stays the caller's to close. */
export class EmbeddedConfig implements ConfigDriver {
  readonly name = "embedded";
  readonly #store: StoreDriver;
  readonly #secrets: ConfigSecrets;
  readonly #mutex = new KeyedMutex();
  readonly #watchers = new ConfigWatchers();
  readonly #closing = new AbortController();

  constructor({ store, key }: EmbeddedConfigOptions) {
    this.#store = store;
    this.#secrets = new ConfigSecrets(key);
  }

  async get(
    namespace: string,
    path: readonly string[],
    reveal: boolean,
    signal: AbortSignal,
  ): Promise<Json | undefined> {
    return this.#show(namespace, path, reveal, await this.#read(namespace, signal));
  }

  async watch(
    namespace: string,
    path: readonly string[],
    reveal: boolean,
    signal: AbortSignal,
  ): Promise<AsyncIterable<Json | undefined>> {
    // Behind the changes that are being made: what they bring is in what is read here, or comes later.
    return this.#mutex.run(namespace, async () => {
      const root = await this.#read(namespace, signal);
      const look = (now: ConfigObject | undefined) => this.#show(namespace, path, reveal, now);
      return this.#watchers.add(namespace, path, root, look, AbortSignal.any([signal, this.#closing.signal]));
    });
  }

  /** Watches running now. */
  get watches(): number {
    return this.#watchers.size;
  }

  async set(
    namespace: string,
    path: readonly string[],
    value: Json,
    secret: boolean,
    signal: AbortSignal,
  ): Promise<void> {
    const leaf = (json: Json, at: readonly string[]): ConfigNode =>
      secret ? { s: this.#secrets.seal(namespace, at, JSON.stringify(json)) } : { v: json };
    await this.#mutex.run(namespace, async () => {
      signal.throwIfAborted();
      const root = (await this.#read(namespace, never)) ?? emptyNode();
      setAt(root, path, value, leaf);
      await this.#write(namespace, root);
      this.#watchers.changed(namespace, path, root);
    });
  }

  async delete(namespace: string, path: readonly string[], signal: AbortSignal): Promise<void> {
    await this.#mutex.run(namespace, async () => {
      signal.throwIfAborted();
      if (path.length === 0) {
        await this.#store.delete(table, namespace, never);
        this.#watchers.changed(namespace, path, undefined);
        return;
      }
      const root = await this.#read(namespace, never);
      if (root === undefined) return;
      deleteAt(root, path);
      await this.#write(namespace, root);
      this.#watchers.changed(namespace, path, root);
    });
  }

  /** Ends all watches. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
  }

  /** The value at a path of the document. */
  #show(namespace: string, path: readonly string[], reveal: boolean, root: ConfigObject | undefined): Json | undefined {
    const node = root === undefined ? undefined : nodeAt(root, path);
    if (node === undefined) return undefined;
    const open = (sealed: string, at: readonly string[]): Json =>
      reveal ? JSON.parse(this.#secrets.open(namespace, at, sealed)) : mask;
    return jsonOf(node, path, open);
  }

  async #read(namespace: string, signal: AbortSignal): Promise<ConfigObject | undefined> {
    const record = await this.#store.read(table, namespace, signal);
    return record === undefined ? undefined : parseDocument(Buffer.from(record.value).toString());
  }

  async #write(namespace: string, root: ConfigObject): Promise<void> {
    const value = Buffer.from(JSON.stringify(root));
    if (value.length > maxDocumentBytes) {
      const size = `${value.length} bytes instead of at most ${maxDocumentBytes}`;
      throw MicroError.tooLarge(
        "config.Config.Set",
        `the document of "${namespace}" would have ${size}. Keep large values in the store`,
      );
    }
    await this.#store.write(table, { key: namespace, value, metadata: {}, expiresAt: undefined }, never);
  }
}
