import { platformDatabase, type StoreDriver, type StoreTable } from "@microts/blocks/store";
import { MicroError } from "@microts/core";
import { type ConfigObject, parseDocument, textPieces } from "./document.ts";
import { ParsedDocuments } from "./parsed-documents.ts";
import { inTurns } from "./turns.ts";

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

/** Pieces of a document's text that take about a millisecond. */
const piecesPerTurn = 2_000;

const documents: StoreTable = { database: platformDatabase, table: "config" };
const keyrings: StoreTable = { database: platformDatabase, table: "config-keys" };
const never = new AbortController().signal;
const everything = { prefix: "", suffix: "", limit: 0, offset: 0, order: "asc" } as const;

/** Where config is kept: for each namespace a document and its data keys. What is written is never cut short by a caller who goes away. */
export class ConfigTables {
  readonly #store: StoreDriver;
  readonly #parsed = new ParsedDocuments();

  constructor(store: StoreDriver) {
    this.#store = store;
  }

  async document(namespace: string, signal: AbortSignal): Promise<ConfigObject | undefined> {
    const record = await this.#store.read(documents, namespace, signal);
    if (record === undefined) return undefined;
    const { revision, value } = record;
    const known = this.#parsed.find(namespace, revision);
    if (known !== undefined) return known;
    const root = parseDocument(textOf(value));
    this.#parsed.remember(namespace, { revision, bytes: value.byteLength, root });
    return root;
  }

  /** Throws 413 for a document that is too large. Default: none is, since what shrinks it or seals it anew must not fail for its size. */
  async writeDocument(namespace: string, root: ConfigObject, maxBytes = Number.POSITIVE_INFINITY): Promise<void> {
    let text = "";
    for await (const piece of inTurns(textPieces(root), piecesPerTurn)) text += piece;
    const value = Buffer.from(text);
    if (value.length > maxBytes) {
      const size = `${value.length} bytes instead of at most ${maxBytes}`;
      throw MicroError.tooLarge(
        "config.Config.Set",
        `the document of "${namespace}" would have ${size}. Keep large values in the store`,
      );
    }
    const revision = await this.#write(documents, namespace, value);
    this.#parsed.remember(namespace, { revision, bytes: value.length, root });
  }

  deleteDocument(namespace: string): Promise<void> {
    this.#parsed.forget(namespace);
    return this.#store.delete(documents, namespace, never);
  }

  async keys(namespace: string, signal: AbortSignal): Promise<KeyRecord | undefined> {
    const record = await this.#store.read(keyrings, namespace, signal);
    return record === undefined ? undefined : (JSON.parse(textOf(record.value)) as KeyRecord);
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

  /** Resolves with the revision. */
  #write(table: StoreTable, namespace: string, value: Uint8Array): Promise<number> {
    return this.#store.write(table, { key: namespace, value, metadata: {}, expiresAt: undefined }, never);
  }
}

function textOf({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString();
}
