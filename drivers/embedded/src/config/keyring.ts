import { createSecretKey, type KeyObject, randomBytes } from "node:crypto";
import { MicroError } from "@microts/core";
import { decrypt, encrypt, keyBytes } from "./cipher.ts";
import type { RootKey, RootKeys } from "./root-keys.ts";
import type { ConfigTables, KeyRecord, WrappedKey } from "./tables.ts";

/** Namespaces whose keys are remembered. */
const maxRemembered = 1_000;

/** The data keys of one namespace at one time. */
export class DataKeys {
  readonly record: KeyRecord | undefined;
  readonly #keys = new Map<string, KeyObject>();

  constructor(record: KeyRecord | undefined, keys: Iterable<readonly [string, KeyObject]>) {
    this.record = record;
    for (const [id, key] of keys) this.#keys.set(id, key);
  }

  /** Undefined when its root key isn't there, or when it is not among these keys. */
  find(id: string): KeyObject | undefined {
    return this.#keys.get(id);
  }

  has(id: string): boolean {
    return this.record?.keys.some((key) => key.id === id) ?? false;
  }

  /** The one that seals, when its root key is there. */
  get current(): { readonly id: string; readonly key: KeyObject } | undefined {
    const id = this.record?.current;
    const key = id === undefined ? undefined : this.#keys.get(id);
    return id === undefined || key === undefined ? undefined : { id, key };
  }

  /** Whether a key is missing whose root key isn't there. */
  get isSealed(): boolean {
    return this.record?.keys.some(({ id }) => !this.#keys.has(id)) ?? false;
  }
}

/** Keeps the data keys, each wrapped with a root key and bound to its namespace. */
export class Keyring {
  readonly #tables: ConfigTables;
  readonly #roots: RootKeys;
  readonly #known = new Map<string, DataKeys>();

  constructor(tables: ConfigTables, roots: RootKeys) {
    this.#tables = tables;
    this.#roots = roots;
  }

  /** As remembered; they may lag behind a rotation. */
  async keys(namespace: string, signal: AbortSignal): Promise<DataKeys> {
    return this.#known.get(namespace) ?? this.load(namespace, signal);
  }

  /** As they are kept. */
  async load(namespace: string, signal: AbortSignal): Promise<DataKeys> {
    return this.#remember(namespace, await this.#tables.keys(namespace, signal));
  }

  /** Adds a key that seals from now on; those that are there still open. All are wrapped with the root key in use. Throws 412 while sealed. */
  async renew(namespace: string, keys: DataKeys): Promise<DataKeys> {
    const root = this.rootKey();
    const id = randomBytes(8).toString("hex");
    const fresh = wrap(root, namespace, id, createSecretKey(randomBytes(keyBytes)));
    const old = (keys.record?.keys ?? []).map((wrapped) => rewrap(root, namespace, keys, wrapped));
    return this.#write(namespace, { current: id, keys: [fresh, ...old] });
  }

  /** Begins with a key of its own, whatever was there: for a namespace in which nothing is sealed. Throws 412 while sealed. */
  async begin(namespace: string): Promise<DataKeys> {
    return this.renew(namespace, new DataKeys(undefined, []));
  }

  /** Forgets every key but the one that seals. */
  async retire(namespace: string, keys: DataKeys): Promise<DataKeys> {
    const { record } = keys;
    const root = this.rootKey();
    const kept = (record?.keys ?? []).filter(({ id }) => id === record?.current);
    if (record === undefined) return keys;
    const rewrapped = kept.map((wrapped) => rewrap(root, namespace, keys, wrapped));
    return this.#write(namespace, { current: record.current, keys: rewrapped });
  }

  /** Has no key for the namespace from now on. For one in which nothing is sealed. */
  async forget(namespace: string): Promise<void> {
    await this.#tables.deleteKeys(namespace);
    this.#known.delete(namespace);
  }

  /** The root key in use. Throws 412 without one. */
  rootKey(): RootKey {
    const [root] = this.#roots.all;
    if (root === undefined) throw this.sealed("config.Config.Set");
    return root;
  }

  sealed(at: string): MicroError {
    return new MicroError(412, at, `secrets are sealed: ${this.#roots.advice}`);
  }

  /** Whether everything of the namespace is under one data key and the root key in use. */
  isSettled({ record }: DataKeys): boolean {
    const [root] = this.#roots.all;
    return record === undefined || (record.keys.length === 1 && record.keys[0]?.root === root?.id);
  }

  /** Whether a key can't be had although its root key is there. */
  isDamaged({ record }: DataKeys, id: string): boolean {
    const root = record?.keys.find((wrapped) => wrapped.id === id)?.root;
    return this.#roots.all.some((known) => known.id === root);
  }

  async #write(namespace: string, record: KeyRecord): Promise<DataKeys> {
    await this.#tables.writeKeys(namespace, record);
    return this.#remember(namespace, record);
  }

  #remember(namespace: string, record: KeyRecord | undefined): DataKeys {
    const keys = new DataKeys(
      record,
      (record?.keys ?? []).flatMap((wrapped) => {
        const key = unwrap(this.#roots, namespace, wrapped);
        return key === undefined ? [] : [[wrapped.id, key] as const];
      }),
    );
    if (this.#known.size >= maxRemembered) this.#known.clear();
    this.#known.set(namespace, keys);
    return keys;
  }
}

function wrap(root: RootKey, namespace: string, id: string, key: KeyObject): WrappedKey {
  const wrapped = encrypt(root.key, placeOf(root.id, namespace, id), key.export());
  return { id, root: root.id, wrapped: wrapped.toString("base64") };
}

/** As it is when it can't be unwrapped, or is under the root key already. */
function rewrap(root: RootKey, namespace: string, keys: DataKeys, wrapped: WrappedKey): WrappedKey {
  const key = keys.find(wrapped.id);
  return key === undefined || wrapped.root === root.id ? wrapped : wrap(root, namespace, wrapped.id, key);
}

function unwrap(roots: RootKeys, namespace: string, { id, root, wrapped }: WrappedKey): KeyObject | undefined {
  const key = roots.all.find((known) => known.id === root)?.key;
  const bytes = key && decrypt(key, placeOf(root, namespace, id), Buffer.from(wrapped, "base64"));
  return bytes?.length === keyBytes ? createSecretKey(bytes) : undefined;
}

function placeOf(root: string, namespace: string, id: string): readonly unknown[] {
  return ["config data key", 1, root, namespace, id];
}
