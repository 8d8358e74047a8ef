import { type Account, defaultNamespace, MicroError, requireAdmin } from "@microts/core";
import { type Method, methodsOf } from "@microts/core/rpc";
import {
  type Change as ChangeMessage,
  type Record as RecordMessage,
  Store as StoreService,
} from "@microts/proto/store";
import type { Change } from "./changes.ts";
import { platformDatabase, type StoredRecord, type StoreRecord, type StoreWatch } from "./driver.ts";
import { bytesOfKey, keyOfBytes } from "./keys.ts";
import type { Store } from "./store.ts";
import { type EntryFields, fieldsOfRecord, matchOfFields, recordOfFields } from "./wire.ts";

/** About so many bytes of entries go in one response. */
const responseBytes = 256 * 1024;

/** The endpoints of `store.Store` (wire §13). Each needs an admin of the database it names, which is `micro` when it names none (wire §11). */
export function storeMethods(store: Store): Method[] {
  return methodsOf(StoreService, {
    async read({ key, options }, { account, signal }) {
      const from = { ...allowed(account, options, "store.Store.Read"), signal };
      if (options?.prefix || options?.suffix) {
        const affixes = { prefix: options.prefix ? key : "", suffix: options.suffix ? key : "" };
        const records = await store.list({ ...from, ...affixes, ...pageOf(options) });
        return { records: records.map(messageOf) };
      }
      const record = await store.read(key, from);
      if (record === undefined) {
        throw MicroError.notFound(
          "store.Store.Read",
          `not found: ${JSON.stringify(key)} in table "${from.table}" of database "${from.database}"`,
        );
      }
      return { records: [messageOf(record)] };
    },
    async write({ record, options }, { account, signal }) {
      const { database, table } = allowed(account, options, "store.Store.Write");
      if (record === undefined) throw MicroError.badRequest("store.Store.Write", "the record is missing");
      const metadata = textsOf(record.metadata);
      const ttlMs = record.expiry > 0n ? Number(record.expiry) * 1000 : undefined;
      await store.write(record.key, record.value, { database, table, metadata, ttlMs, signal });
      return {};
    },
    async delete({ key, options }, { account, signal }) {
      await store.delete(key, { ...allowed(account, options, "store.Store.Delete"), signal });
      return {};
    },
    async list({ options }, { account, signal }) {
      const from = allowed(account, options, "store.Store.List");
      const affixes = { prefix: options?.prefix ?? "", suffix: options?.suffix ?? "" };
      const keys = await store.keys({ ...from, ...affixes, ...pageOf(options), signal });
      return once({ keys: keys.map((key) => key.toWellFormed()) });
    },
    async databases(_, { account, signal }) {
      requireAdmin(account, defaultNamespace, "store.Store.Databases");
      const databases = await store.databases(signal);
      return { databases: databases.filter((name) => name !== platformDatabase) };
    },
    async tables({ database }, { account, signal }) {
      const { database: named } = allowed(account, { database, table: "" }, "store.Store.Tables");
      return { tables: await store.tables(named, signal) };
    },
    async get({ key, ...place }, { account, signal }) {
      const from = allowed(account, place, "store.Store.Get");
      const record = await store.read(keyOfBytes(key), { ...from, signal });
      return record === undefined ? {} : { entry: fieldsOfRecord(record) };
    },
    async scan({ limit, offset, descending, keysOnly, ...request }, { account, signal }) {
      const from = { ...allowed(account, request, "store.Store.Scan"), ...matchOfFields(request), signal };
      const query = { ...from, ...pageOf({ limit, offset, order: descending ? "desc" : "asc" }) };
      if (!keysOnly) return responses((await store.list(query)).map(fieldsOfRecord));
      return responses((await store.keys(query)).map((key) => ({ ...bare, key: bytesOfKey(key) })));
    },
    async count(request, { account, signal }) {
      const from = { ...allowed(account, request, "store.Store.Count"), ...matchOfFields(request), signal };
      return { count: BigInt(await store.count(from)) };
    },
    async commit({ changes, ...place }, { account, signal }) {
      const to = allowed(account, place, "store.Store.Commit");
      return { revision: BigInt(await store.commit(changes.map(changeOf), { ...to, signal })) };
    },
    async snapshot(place, { account, signal }) {
      return parts(store.snapshot({ ...allowed(account, place, "store.Store.Snapshot"), signal }));
    },
    async watch({ resume, after, ...request }, { account, signal }) {
      const from = { ...allowed(account, request, "store.Store.Watch"), prefix: keyOfBytes(request.prefix), signal };
      return news(await store.watch({ ...from, ...(resume && { after: Number(after) }) }));
    },
  });
}

const bare = { value: new Uint8Array(), metadata: {}, ttlMs: 0n, revision: 0n };

async function* responses(
  entries: readonly EntryFields[],
): AsyncGenerator<{ entries: EntryFields[] }, void, undefined> {
  let batch: EntryFields[] = [];
  let bytes = 0;
  for (const entry of entries) {
    batch.push(entry);
    bytes += entry.key.byteLength + entry.value.byteLength + 64;
    if (bytes < responseBytes) continue;
    yield { entries: batch };
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) yield { entries: batch };
}

async function* parts(snapshot: AsyncIterable<readonly StoredRecord[]>) {
  for await (const records of snapshot) yield* responses(records.map(fieldsOfRecord));
}

async function* news(watch: StoreWatch) {
  yield { revision: BigInt(watch.revision) };
  for await (const event of watch) {
    if (event.key === undefined) {
      yield { revision: BigInt(event.revision) };
      continue;
    }
    const { key, revision, record } = event;
    const gone = record === undefined;
    const entry = gone ? { ...bare, key: bytesOfKey(key), revision: BigInt(revision) } : fieldsOfRecord(record);
    yield { events: [{ entry, gone }] };
  }
}

function changeOf({ entry, delete: isDelete, conditional, revision }: ChangeMessage): Change {
  if (entry === undefined) throw MicroError.badRequest("store.Store.Commit", "a change has no entry");
  const condition = conditional ? { ifRevision: Number(revision) } : {};
  const { key, value, metadata, expiresAt } = recordOfFields(entry);
  return isDelete ? { delete: key, ...condition } : { write: key, value, metadata, expiresAt, ...condition };
}

interface Place {
  readonly database: string;
  readonly table: string;
}

function allowed(account: Account | undefined, options: Place | undefined, id: string): Place {
  const database = options?.database || defaultNamespace;
  requireAdmin(account, database, id);
  if (database === platformDatabase) {
    throw MicroError.forbidden(
      id,
      `the database "${platformDatabase}" is the platform's own. Use micro auth, micro config and micro status`,
    );
  }
  return { database, table: options?.table || defaultNamespace };
}

interface Page {
  readonly limit: bigint;
  readonly offset: bigint;
  readonly order: string;
}

function pageOf(options: Page | undefined): { limit: number; offset: number; order: "asc" | "desc" } {
  return {
    limit: Number(options?.limit ?? 0n),
    offset: Number(options?.offset ?? 0n),
    order: options?.order === "desc" ? "desc" : "asc",
  };
}

function textsOf(metadata: RecordMessage["metadata"]): Record<string, string> | undefined {
  const fields = Object.entries(metadata);
  if (fields.length === 0) return undefined;
  return Object.fromEntries(fields.map(([name, { value }]) => [name, value]));
}

type RecordInit = Omit<RecordMessage, "$typeName" | "$unknown" | "metadata"> & {
  metadata: Record<string, { type: string; value: string }>;
};

function messageOf({ key, value, metadata, expiresAt }: StoreRecord): RecordInit {
  const fields = Object.entries(metadata).map(([name, text]) => [name, { type: "string", value: text }] as const);
  const wellFormed = key.toWellFormed();
  return { key: wellFormed, value, expiry: secondsLeft(expiresAt), metadata: Object.fromEntries(fields) };
}

/** Rounded up, for 0 means that the record never expires. */
function secondsLeft(expiresAt: Date | undefined): bigint {
  return expiresAt === undefined ? 0n : BigInt(Math.max(1, Math.ceil((expiresAt.getTime() - Date.now()) / 1000)));
}

async function* once<T>(value: T): AsyncGenerator<T, void, undefined> {
  yield value;
}
