import { secretsOf } from "./document.ts";
import type { DataKeys, Keyring } from "./keyring.ts";
import type { RootKeys } from "./root-keys.ts";
import type { ConfigTables } from "./tables.ts";

const never = new AbortController().signal;

/** Decides which namespaces' secrets can't be used: what they need a key for that isn't there, and anything new while the key seems to be a wrong one. */
export class Seal {
  readonly #tables: ConfigTables;
  readonly #roots: RootKeys;
  readonly #keyring: Keyring;
  #isOurs = false;

  constructor(tables: ConfigTables, roots: RootKeys, keyring: Keyring) {
    this.#tables = tables;
    this.#roots = roots;
    this.#keyring = keyring;
  }

  /** Why the secrets of a namespace are sealed and what mends it; undefined when they aren't. */
  async reason(namespace: string, keys: DataKeys): Promise<string | undefined> {
    if (this.#roots.all.length === 0) return this.#roots.advice;
    if (keys.isSealed && (await this.#hasSecrets(namespace))) return this.#roots.advice;
    if (keys.current === undefined && (await this.#isForeign())) return this.#roots.advice;
    return undefined;
  }

  /** As `reason`, thrown as 412. */
  async check(namespace: string, keys: DataKeys, at: string): Promise<void> {
    if ((await this.reason(namespace, keys)) !== undefined) throw this.#keyring.sealed(at);
  }

  /**
   * Whether there are secrets, and the root keys open those of no namespace: then they are some other server's, or a mistake, and what were sealed with them
   * would be lost with the next start that has the right one.
   */
  async #isForeign(): Promise<boolean> {
    if (this.#isOurs) return false;
    const ids = new Set(this.#roots.all.map(({ id }) => id));
    const others: string[] = [];
    for (const namespace of await this.#tables.namespacesWithKeys()) {
      const record = await this.#tables.keys(namespace, never);
      if (record?.keys.some(({ root }) => ids.has(root))) {
        this.#isOurs = true;
        return false;
      }
      others.push(namespace);
    }
    for (const namespace of others) if (await this.#hasSecrets(namespace)) return true;
    return false;
  }

  async #hasSecrets(namespace: string): Promise<boolean> {
    const root = await this.#tables.document(namespace, never);
    return root !== undefined && !secretsOf(root).next().done;
  }
}
