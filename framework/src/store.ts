import { jsonOf, RemoteStore, Store } from "@microts/blocks/store";
import { MicroError } from "@microts/core";
import { connection, inherited, inheritedSignal } from "./connection.ts";
import { type Entry, entryOf } from "./store-entry.ts";
import type {
  CountOptions,
  DeleteOptions,
  ListOptions,
  RecordOptions,
  StoreChange,
  UpdateOptions,
  WatchOptions,
  WriteOptions,
} from "./store-options.ts";
import { followStore, type StoreWatch } from "./store-watch.ts";

let opened: Store | undefined;

/** The tenant's database and the service's own table. */
function open(): Store {
  const { env, rpc } = connection();
  opened ??= new Store(new RemoteStore(rpc), { database: env.namespace, table: env.name ?? serviceName() });
  return opened;
}

let named: string | undefined;

/** Told by the service that runs in this process, so that its table has its name when the environment doesn't say. */
export function setServiceName(name: string): void {
  named = name;
}

function serviceName(): string {
  if (named !== undefined) return named;
  throw MicroError.badRequest(
    "store",
    "the store has no table: name one with { table }, set MICRO_SERVICE_NAME, or use it inside a running service",
  );
}

/**
 * Changes a value to what `change` makes of the one that is there (undefined for none), and again when somebody else has changed it meanwhile, so
 * that no change is lost; undefined deletes it. Resolves with the new value. The record keeps its expiry and metadata unless told others.
 */
async function update<T>(
  key: string,
  change: (value: T | undefined) => T | Promise<T>,
  options?: UpdateOptions,
): Promise<T>;
async function update<T>(
  key: string,
  change: (value: T | undefined) => T | undefined | Promise<T | undefined>,
  options?: UpdateOptions,
): Promise<T | undefined>;
async function update<T>(
  key: string,
  change: (value: T | undefined) => T | undefined | Promise<T | undefined>,
  options: UpdateOptions = {},
): Promise<T | undefined> {
  for (;;) {
    const entry = await store.get<T>(key, options);
    const value = await change(entry?.value);
    const ifRevision = entry?.revision ?? 0;
    try {
      if (value !== undefined) {
        const kept = entry && { expiresAt: entry.expiresAt, metadata: entry.metadata };
        await open().writeJson(key, value, { ...kept, ...options, ifRevision, ...signal() });
      } else if (entry !== undefined) await store.delete(key, { ...options, ifRevision });
      return value;
    } catch (error) {
      if (!(error instanceof MicroError && error.code === 409)) throw error;
    }
  }
}

/**
 * This service's records, kept by the platform: JSON values under string keys, durable once written. Errors are MicroErrors.
 */
export const store = {
  /** The value, or undefined when there is none or it has expired. */
  async read<T = unknown>(key: string, options: RecordOptions = {}): Promise<T | undefined> {
    return (await open().readJson(key, { ...options, ...signal() })) as T | undefined;
  },

  /** The value with its revision and expiry, or undefined when there is none or it has expired. */
  async get<T = unknown>(key: string, options: RecordOptions = {}): Promise<Entry<T> | undefined> {
    const record = await open().read(key, { ...options, ...signal() });
    return record && entryOf<T>(record);
  },

  /**
   * Creates or replaces; survives a crash of the server once it resolves, with the record's revision. With `ifRevision` throws 409 when the record has
   * changed meanwhile.
   */
  async write(key: string, value: unknown, options: WriteOptions = {}): Promise<number> {
    return open().writeJson(key, value, { ...options, ...signal() });
  },

  update,

  /** Deleting a key that isn't there is fine. With `ifRevision` throws 409 when the record has changed meanwhile. */
  async delete(key: string, options: DeleteOptions = {}): Promise<void> {
    await open().delete(key, { ...options, ...signal() });
  },

  /**
   * Makes up to 1,000 changes of different keys of a table, 24 MiB in all, at once or not at all: throws 409 when a record doesn't have the revision that
   * its change asks for. Resolves with the revision of the last one, 0 when none had an effect.
   */
  async commit(changes: readonly StoreChange[], options: RecordOptions = {}): Promise<number> {
    if (!Array.isArray(changes))
      throw MicroError.badRequest(
        "store.Store.Commit",
        "the changes have to be a list: [{ write, value }, { delete }]",
      );
    const asText = changes.map((change) =>
      "write" in change ? { ...change, value: jsonOf(change.write, change.value) } : change,
    );
    return open().commit(asText, { ...options, ...signal() });
  },

  /** Records that match, by key. */
  async list<T = unknown>(options: ListOptions = {}): Promise<Entry<T>[]> {
    const records = await open().list({ ...options, ...signal() });
    return records.map((record) => entryOf<T>(record));
  },

  /** How many records match. */
  async count(options: CountOptions = {}): Promise<number> {
    return open().count({ ...options, ...signal() });
  },

  /**
   * Changes in the order in which they were made, each once, from when it has resolved or after a revision, until the signal aborts or the loop is left.
   * When the server goes away the loop goes on after the last change it gave as soon as the server is back. Throws 412, at once or later, for changes
   * that the server no longer knows, which it does for ten minutes: list what there is, then watch anew. What isn't JSON is left out, with a line in the log.
   */
  async watch<T = unknown>(options: WatchOptions = {}): Promise<StoreWatch<T>> {
    const ending = inheritedSignal(options.signal);
    return followStore<T>((after) => open().watch({ ...options, after, signal: ending }), options.after, ending);
  },

  /** Keys of the records that match. */
  async keys(options: ListOptions = {}): Promise<string[]> {
    return open().keys({ ...options, ...signal() });
  },
} as const;

function signal(): { signal?: AbortSignal } {
  const { signal } = inherited();
  return signal === undefined ? {} : { signal };
}
