import { RemoteStore, Store } from "@microts/blocks/store";
import { MicroError } from "@microts/core";
import { connection, inherited } from "./connection.ts";

/** One record with its value as JSON. */
export interface Entry<T> {
  readonly key: string;
  readonly value: T;
  /** When it goes by itself; undefined for never. */
  readonly expiresAt: Date | undefined;
}

export interface ListOptions {
  /** Keys that begin with this. Default all. */
  readonly prefix?: string;
  /** Keys that end with this. Default all. */
  readonly suffix?: string;
  /** At most so many. Default 0: all. */
  readonly limit?: number;
  /** Leaves out the first so many. Default 0. */
  readonly offset?: number;
  /** By the bytes of the keys. Default asc. */
  readonly order?: "asc" | "desc";
  /** Default: a table of this service's name. */
  readonly table?: string;
}

export interface RecordOptions {
  /** Default: a table of this service's name. */
  readonly table?: string;
}

export interface WriteOptions extends RecordOptions {
  /** The record goes by itself after so many milliseconds; whole seconds, rounded up. Default: it stays. */
  readonly ttlMs?: number;
}

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
 * This service's records, kept by the platform: JSON values under string keys, durable once written. Errors are MicroErrors.
 */
export const store = {
  /** The value, or undefined when there is none or it has expired. */
  async read<T = unknown>(key: string, options: RecordOptions = {}): Promise<T | undefined> {
    return (await open().readJson(key, { ...options, ...signal() })) as T | undefined;
  },

  /** Creates or replaces; survives a crash of the server once it resolves. */
  async write(key: string, value: unknown, options: WriteOptions = {}): Promise<void> {
    await open().writeJson(key, value, { ...options, ...signal() });
  },

  /** Deleting a key that isn't there is fine. */
  async delete(key: string, options: RecordOptions = {}): Promise<void> {
    await open().delete(key, { ...options, ...signal() });
  },

  /** Records that match, by key. */
  async list<T = unknown>(options: ListOptions = {}): Promise<Entry<T>[]> {
    const records = await open().list({ ...options, ...signal() });
    return records.map(({ key, value, expiresAt }) => ({ key, value: parse<T>(key, value), expiresAt }));
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

function parse<T>(key: string, value: Uint8Array): T {
  try {
    return JSON.parse(Buffer.from(value).toString()) as T;
  } catch {
    throw MicroError.internal("store.Store.Read", `the value of "${key}" is not JSON`);
  }
}
