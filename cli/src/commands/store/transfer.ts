import type { ServiceClient } from "@microts/core/rpc";
import type { Store } from "@microts/proto/store";
import type { Progress } from "../../progress.ts";
import type { Session } from "../../session.ts";
import type { SnapshotRecord } from "./snapshot-file.ts";

export type StoreClient = ServiceClient<(typeof Store)["method"]>;

/** So many records, and about so many bytes, are written at once. */
const batchRecords = 500;
const batchBytes = 4 * 1024 * 1024;

export async function storeClient(session: Session): Promise<StoreClient> {
  const { Store: service } = await import("@microts/proto/store");
  return session.client(service, "store");
}

/** How many records tables have. */
export async function countRecords(
  client: StoreClient,
  database: string,
  tables: readonly string[],
  signal: AbortSignal,
): Promise<number> {
  const counts = await Promise.all(tables.map((table) => client.count({ database, table }, { signal })));
  return counts.reduce((sum, { count }) => sum + Number(count), 0);
}

/** All records of tables; each table as it is at one moment. */
export async function* recordsOf(
  client: StoreClient,
  database: string,
  tables: readonly string[],
  signal: AbortSignal,
): AsyncGenerator<SnapshotRecord, void, undefined> {
  for (const table of tables) {
    for await (const { entries } of client.snapshot({ database, table }, { signal })) {
      for (const { key, value, metadata, ttlMs } of entries) {
        const expiresAt = ttlMs > 0n ? new Date(Date.now() + Number(ttlMs)) : undefined;
        yield { table, key, value, metadata, expiresAt };
      }
    }
  }
}

export interface Target {
  readonly client: StoreClient;
  readonly database: string;
  /** Tables in which what is there besides the records is deleted. */
  readonly exact: readonly string[];
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

export interface Transferred {
  readonly written: number;
  /** Had expired meanwhile. */
  readonly expired: number;
  readonly deleted: number;
}

/** Writes records that come table by table. */
export async function writeRecords(records: AsyncIterable<SnapshotRecord>, target: Target): Promise<Transferred> {
  let written = 0;
  let expired = 0;
  let deleted = 0;
  let batch: SnapshotRecord[] = [];
  let bytes = 0;
  let kept = new Set<string>();
  const exact = new Set(target.exact);
  let table: string | undefined;
  const flush = async () => {
    if (table !== undefined && batch.length > 0) await commit(target, table, batch);
    written += batch.length;
    batch = [];
    bytes = 0;
  };
  const endTable = async () => {
    await flush();
    if (table !== undefined && exact.delete(table)) deleted += await deleteOthers(target, table, kept);
    kept = new Set();
  };
  for await (const record of records) {
    if (record.table !== table) await endTable();
    table = record.table;
    target.progress.add(1);
    if (record.expiresAt !== undefined && record.expiresAt.getTime() <= Date.now()) {
      expired++;
      continue;
    }
    if (exact.has(table)) kept.add(nameOf(record.key));
    batch.push(record);
    bytes += record.key.byteLength + record.value.byteLength;
    if (batch.length >= batchRecords || bytes >= batchBytes) await flush();
  }
  await endTable();
  for (const empty of exact) deleted += await deleteOthers(target, empty, kept);
  return { written, expired, deleted };
}

async function commit(
  { client, database, signal }: Target,
  table: string,
  records: readonly SnapshotRecord[],
): Promise<void> {
  const changes = records.map(({ key, value, metadata, expiresAt }) => {
    const ttlMs = expiresAt === undefined ? 0n : BigInt(Math.max(1, expiresAt.getTime() - Date.now()));
    return { entry: { key, value, metadata: { ...metadata }, ttlMs } };
  });
  await client.commit({ database, table, changes }, { signal });
}

async function deleteOthers(
  { client, database, signal }: Target,
  table: string,
  kept: ReadonlySet<string>,
): Promise<number> {
  const others: Uint8Array[] = [];
  for await (const { entries } of client.scan({ database, table, keysOnly: true }, { signal }))
    for (const { key } of entries) if (!kept.has(nameOf(key))) others.push(key);
  for (let at = 0; at < others.length; at += batchRecords) {
    const changes = others.slice(at, at + batchRecords).map((key) => ({ entry: { key }, delete: true }));
    await client.commit({ database, table, changes }, { signal });
  }
  return others.length;
}

function nameOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("base64");
}

/** `12 records written, 1 expired, 3 deleted`. */
export function transferText({ written, expired, deleted }: Transferred): string {
  const extra = [expired > 0 && `${expired} had expired`, deleted > 0 && `${deleted} others deleted`].filter(Boolean);
  return [`${written} records written`, ...extra].join(", ");
}
