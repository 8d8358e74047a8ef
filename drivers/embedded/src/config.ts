import { type ConfigDriver, type Json, maxDocumentBytes, type RotationProgress } from "@microts/blocks/config";
import type { StoreDriver } from "@microts/blocks/store";
import { type Log, silent } from "@microts/core";
import { deleteAt, emptyNode, leavesOf, nodeAt, type SealedLeaf, setAt } from "./config/document.ts";
import { Keyring } from "./config/keyring.ts";
import { type GivenRootKeys, openRootKeys, type RootKeys } from "./config/root-keys.ts";
import { Rotations } from "./config/rotations.ts";
import { Seal } from "./config/seal.ts";
import { StaleKeys, sealSecret } from "./config/secrets.ts";
import { ConfigTables } from "./config/tables.ts";
import { inTurns } from "./config/turns.ts";
import { ConfigView } from "./config/view.ts";
import { ConfigWatchers } from "./config/watchers.ts";
import { KeyedMutex } from "./keyed-mutex.ts";

export interface EmbeddedConfigOptions {
  readonly store: StoreDriver;
  /** Without one secrets are sealed: they can be neither set nor read; the rest works. */
  readonly rootKeys: RootKeys;
  readonly log?: Log | undefined;
}

export interface OpenConfigOptions {
  readonly store: StoreDriver;
  readonly dataDir: string;
  /** Root keys from the setting; undefined takes those of the key file. */
  readonly rootKeys: GivenRootKeys | undefined;
  readonly log?: Log | undefined;
}

const never = new AbortController().signal;

/** With the root keys of the setting or of the data directory. Ends a rotation that the last process didn't. */
export async function openEmbeddedConfig({
  store,
  dataDir,
  rootKeys,
  log,
}: OpenConfigOptions): Promise<EmbeddedConfig> {
  const isUsed = (await new ConfigTables(store).namespacesWithKeys()).length > 0;
  const roots = await openRootKeys({ dataDir, given: rootKeys, isUsed });
  const config = new EmbeddedConfig({ store, rootKeys: roots, log });
  config.resume();
  return config;
}

/**
 * One document for each namespace as a record of a store, for the one process that owns it; secrets in it are sealed with data keys of the namespace,
 * and those with a root key. The store stays the caller's to close.
 */
export class EmbeddedConfig implements ConfigDriver {
  readonly name = "embedded";
  readonly #tables: ConfigTables;
  readonly #keyring: Keyring;
  readonly #rotations: Rotations;
  readonly #seal: Seal;
  readonly #mutex = new KeyedMutex();
  readonly #view: ConfigView;
  readonly #watchers: ConfigWatchers;
  readonly #closing = new AbortController();

  constructor({ store, rootKeys: roots, log = silent }: EmbeddedConfigOptions) {
    const tables = new ConfigTables(store);
    const keyring = new Keyring(tables, roots);
    this.#tables = tables;
    this.#keyring = keyring;
    const view = new ConfigView(keyring);
    this.#view = view;
    this.#watchers = new ConfigWatchers(async ({ namespace, path, reveal }, root) => {
      const keys = reveal ? await keyring.keys(namespace, never) : undefined;
      return view.showAll(namespace, path, keys, root);
    });
    this.#seal = new Seal(tables, roots, keyring);
    this.#rotations = new Rotations({ tables, roots, keyring, mutex: this.#mutex }, log);
  }

  async get(
    namespace: string,
    path: readonly string[],
    reveal: boolean,
    signal: AbortSignal,
  ): Promise<Json | undefined> {
    const root = await this.#tables.document(namespace, signal);
    try {
      const keys = reveal ? await this.#keyring.keys(namespace, signal) : undefined;
      return await this.#view.show(namespace, path, keys, root);
    } catch (error) {
      if (!(error instanceof StaleKeys)) throw error;
    }
    // A rotation came in between. Behind it, document and keys belong together.
    return this.#mutex.run(namespace, async () => {
      const keys = await this.#keyring.load(namespace, signal);
      return this.#view.showAll(namespace, path, keys, await this.#tables.document(namespace, signal));
    });
  }

  async watch(
    namespace: string,
    path: readonly string[],
    reveal: boolean,
    signal: AbortSignal,
  ): Promise<AsyncIterable<Json | undefined>> {
    // Behind the changes that are being made: what they bring is in what is read here, or comes later.
    return this.#mutex.run(namespace, async () => {
      const root = await this.#tables.document(namespace, signal);
      if (reveal) await this.#keyring.load(namespace, signal);
      return this.#watchers.add({ namespace, path, reveal }, root, AbortSignal.any([signal, this.#closing.signal]));
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
    await this.#mutex.run(namespace, async () => {
      signal.throwIfAborted();
      const before = (await this.#tables.document(namespace, never)) ?? emptyNode();
      const version = (before.r ?? 0) + 1;
      const sealed = secret ? await this.#sealAll(namespace, path, value, version) : undefined;
      let next = 0;
      const leaf = (json: Json) => sealed?.[next++] ?? { v: json };
      const root = { ...setAt(before, path, value, leaf), r: version };
      await this.#tables.writeDocument(namespace, root, maxDocumentBytes);
      await this.#watchers.changed(namespace, root);
    });
  }

  async delete(namespace: string, path: readonly string[], signal: AbortSignal): Promise<void> {
    await this.#mutex.run(namespace, async () => {
      signal.throwIfAborted();
      if (path.length === 0) {
        await this.#tables.deleteDocument(namespace);
        return this.#watchers.changed(namespace, undefined);
      }
      const before = await this.#tables.document(namespace, never);
      if (before === undefined || nodeAt(before, path) === undefined) return;
      const root = { ...deleteAt(before, path), r: (before.r ?? 0) + 1 };
      await this.#tables.writeDocument(namespace, root);
      await this.#watchers.changed(namespace, root);
    });
  }

  async rotate(signal: AbortSignal): Promise<AsyncIterable<RotationProgress>> {
    return this.#rotations.begin(signal);
  }

  async sealed(namespace: string, signal: AbortSignal): Promise<string | undefined> {
    return this.#seal.reason(namespace, await this.#keyring.load(namespace, signal));
  }

  /**
   * Ends a rotation that an earlier process began, and wraps with the root key in use what is wrapped with another. Errors are logged, and so is what is
   * sealed.
   */
  resume(): void {
    this.#rotations.resume();
  }

  /** Ends all watches; a rotation goes on with the next start. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#rotations[Symbol.asyncDispose]();
  }

  /** The leaves that a value becomes, in their order. Throws 412 while secrets are sealed: a second key beside a lost one would hide the loss. */
  async #sealAll(namespace: string, path: readonly string[], value: Json, version: number): Promise<SealedLeaf[]> {
    const found = await this.#keyring.load(namespace, never);
    await this.#seal.check(namespace, found, "config.Config.Set");
    const isUsable = found.current !== undefined && !found.isSealed;
    const { current } = isUsable ? found : await this.#keyring.begin(namespace);
    if (current === undefined) throw this.#keyring.sealed("config.Config.Set");
    const sealed: SealedLeaf[] = [];
    for await (const { path: at, leaf } of inTurns(leavesOf(value, path)))
      sealed.push(sealSecret(current, namespace, at, JSON.stringify(leaf), version));
    return sealed;
  }
}
