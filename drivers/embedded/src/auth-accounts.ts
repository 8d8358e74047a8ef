import { platformDatabase, type StoreDriver, type StoreTable } from "@microts/blocks/store";
import { type Account, MicroError } from "@microts/core";

/** An account as it is kept: in one record, so that every change of it is one write. */
export interface AccountEntry {
  readonly account: Account;
  /** The secret's argon2id hash as a PHC string. */
  readonly hash: string;
  /** Changes with the secret. Tokens carry it and die with it. */
  readonly generation: string;
}

/** Where accounts, refresh tokens and rules are kept (behaviour §4). */
export const authTable: StoreTable = { database: platformDatabase, table: "auth" };

type Namespace = Map<string, AccountEntry>;

const never = new AbortController().signal;

/** All accounts, read once per namespace and then held in memory: this process is the only one to write them. Callers keep writers of one namespace apart. */
export class AccountBook {
  readonly #store: StoreDriver;
  readonly #namespaces = new Map<string, Promise<Namespace>>();

  constructor(store: StoreDriver) {
    this.#store = store;
  }

  /** The namespace's accounts by id. Not to be changed. */
  all(namespace: string): Promise<ReadonlyMap<string, AccountEntry>> {
    return this.#load(namespace);
  }

  /** The account with this id or, failing that, this name. */
  async find(namespace: string, idOrName: string): Promise<AccountEntry | undefined> {
    const accounts = await this.#load(namespace);
    const byId = accounts.get(idOrName);
    if (byId !== undefined) return byId;
    for (const entry of accounts.values()) if (entry.account.name === idOrName) return entry;
    return undefined;
  }

  /** Creates or replaces. In memory once it is on disk. */
  async put(entry: AccountEntry): Promise<void> {
    const { id, issuer } = entry.account;
    const value = Buffer.from(JSON.stringify(entry));
    const record = { key: keyOf(issuer, id), value, metadata: {}, expiresAt: undefined };
    const accounts = await this.#change(issuer, () => this.#store.write(authTable, record, never));
    accounts.set(id, entry);
    this.#namespaces.set(issuer, Promise.resolve(accounts));
  }

  async remove(namespace: string, id: string): Promise<void> {
    const accounts = await this.#change(namespace, () => this.#store.delete(authTable, keyOf(namespace, id), never));
    accounts.delete(id);
  }

  /** Changes the disk. No signal reaches it: memory has to know how it went; when it went wrong, all is read anew. */
  async #change(namespace: string, write: () => Promise<unknown>): Promise<Namespace> {
    const accounts = await this.#load(namespace);
    try {
      await write();
    } catch (error) {
      this.#namespaces.delete(namespace);
      throw error;
    }
    return accounts;
  }

  #load(namespace: string): Promise<Namespace> {
    const known = this.#namespaces.get(namespace);
    if (known !== undefined) return known;
    const loading = this.#read(namespace);
    this.#namespaces.set(namespace, loading);
    // Neither failures nor namespaces without accounts, which anybody can name, stay in memory.
    const forget = () => {
      if (this.#namespaces.get(namespace) === loading) this.#namespaces.delete(namespace);
    };
    loading.then((accounts) => accounts.size === 0 && forget(), forget);
    return loading;
  }

  async #read(namespace: string): Promise<Namespace> {
    const query = { prefix: keyOf(namespace, ""), suffix: "", limit: 0, offset: 0, order: "asc" } as const;
    const records = await this.#store.list(authTable, query, never);
    return new Map(
      records.map(({ key, value }) => {
        const entry = parse(key, value);
        return [entry.account.id, entry];
      }),
    );
  }
}

function keyOf(namespace: string, id: string): string {
  return `account/${namespace}/${id}`;
}

function parse(key: string, value: Uint8Array): AccountEntry {
  try {
    return JSON.parse(Buffer.from(value).toString()) as AccountEntry;
  } catch {
    throw MicroError.internal("auth", `the record "${key}" in the store's table "auth" is damaged`);
  }
}
