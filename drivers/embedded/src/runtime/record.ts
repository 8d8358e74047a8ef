import type { CreateOptions, Owner, ServiceSource, UpdateOptions } from "@microts/blocks/runtime";
import { platformDatabase, type StoreDriver, type StoreTable } from "@microts/blocks/store";
import type { Log } from "@microts/core";

/** What is known of a service, kept in the store so that it outlives the server. */
export interface ServiceRecord {
  readonly namespace: string;
  readonly name: string;
  readonly version: string;
  /** The key of the blob with its source. */
  readonly source: string;
  /** As given by the user. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly owner: string;
  readonly group: string;
  readonly env: Readonly<Record<string, string>>;
  readonly entrypoint: string;
  readonly args: readonly string[];
  readonly instances: number;
  /** `running` is what it should be, whatever goes wrong; `error`: it has never run; `pending`: its first start isn't over. */
  readonly status: "pending" | "running" | "error";
  readonly error: string;
  /** RFC 3339; "" when it has never run. */
  readonly started: string;
  /** Folder name of its workspace; "" when it has none. */
  readonly workspace: string;
  /** SHA-256 of the bundle in hex; "" when there is none. */
  readonly build: string;
}

/** What tells services apart. */
export type ServiceKey = Pick<ServiceRecord, "namespace" | "name" | "version">;

const table: StoreTable = { database: platformDatabase, table: "runtime" };
const prefix = "service:";

/** The record's key in the store; also what calls on one service are serialised by. */
export function keyOf({ namespace, name, version }: ServiceKey): string {
  return `${prefix}${namespace}:${name}:${version}`;
}

/** The records of all services, in the table `runtime` of the platform's own database. */
export class ServiceRecords {
  readonly #store: StoreDriver;
  readonly #log: Log;
  readonly #never = new AbortController().signal;

  constructor(store: StoreDriver, log: Log) {
    this.#store = store;
    this.#log = log;
  }

  /** All that can be read; others are left where they are and logged. */
  async list(): Promise<ServiceRecord[]> {
    const query = { prefix, suffix: "", limit: 0, offset: 0, order: "asc" } as const;
    const stored = await this.#store.list(table, query, this.#never);
    return stored.flatMap(({ key, value }) => {
      try {
        return [JSON.parse(Buffer.from(value).toString()) as ServiceRecord];
      } catch (error) {
        this.#log.error("the record of a service is damaged and is left out", { key, error });
        return [];
      }
    });
  }

  async write(record: ServiceRecord): Promise<void> {
    const value = Buffer.from(JSON.stringify(record));
    await this.#store.write(table, { key: keyOf(record), value, metadata: {}, expiresAt: undefined }, this.#never);
  }

  async delete(key: ServiceKey): Promise<void> {
    await this.#store.delete(table, keyOf(key), this.#never);
  }
}

/** The record of a service that hasn't been started yet. */
export function newRecord(
  namespace: string,
  service: ServiceSource,
  options: CreateOptions,
  owner: Owner,
): ServiceRecord {
  const { name, version, source, metadata } = service;
  const { env, entrypoint, args, instances } = options;
  const fresh = { status: "pending", error: "", started: "", workspace: "", build: "" } as const;
  return {
    namespace,
    name,
    version,
    source,
    metadata,
    owner: owner.name,
    group: owner.group,
    env,
    entrypoint,
    args,
    instances,
    ...fresh,
  };
}

/** The record with another source, its metadata added to what was there. */
export function updatedRecord(
  record: ServiceRecord,
  { source, metadata }: ServiceSource,
  options: UpdateOptions,
): ServiceRecord {
  const { entrypoint, instances } = options;
  return {
    ...record,
    source,
    metadata: { ...record.metadata, ...metadata },
    entrypoint,
    instances: instances || record.instances,
  };
}

/** The key of the blob with a service's bundle. */
export function buildKey({ name, version }: Pick<ServiceKey, "name" | "version">): string {
  return `build://${name}:${version}`;
}
