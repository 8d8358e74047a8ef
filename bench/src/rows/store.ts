import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { RpcClient, type ServiceClient, serviceClient } from "@microts/core/rpc";
import { Store } from "@microts/proto/store";
import { RESP_TYPES } from "redis";
import type { Bench } from "../bench.ts";
import { startEtcd } from "../engines/etcd.ts";
import { startPostgres } from "../engines/postgres.ts";
import { startRedis } from "../engines/redis.ts";
import { closedLoop } from "../load.ts";
import { startMicroServer } from "../micro-server.ts";
import { measureMicroV3 } from "../peers/micro-v3.ts";
import { recordCount, recordKey, recordValue } from "../peers/record.ts";
import { sqliteFile } from "../peers/sqlite.ts";
import type { Measure, Row, Skipped } from "../row.ts";

const run = promisify(execFile);
const inFlight = 64;

type Client = ServiceClient<(typeof Store)["method"]>;

/** The store of `micro server` through its proxy. */
export const store: readonly Row[] = [
  {
    ...rowOf("store-write", "Store.Write of 200 B through RPC, 64 in flight, acknowledged after fsync", "write"),
    bars: [
      { text: "≥ 0.5× Redis, appendfsync always", of: "ours", against: "redis", atLeast: 0.5 },
      { text: "≥ 5× etcd", of: "ours", against: "etcd", atLeast: 5 },
      { text: "≥ 4× PostgreSQL", of: "ours", against: "postgres", atLeast: 4 },
      { text: "≥ 100× Micro v3", of: "ours", against: "Micro v3", atLeast: 100 },
    ],
  },
  {
    ...rowOf("store-read", "Store.Read of 200 B through RPC, 64 in flight", "read"),
    bars: [
      { text: "≥ 0.7× Redis GET", of: "ours", against: "redis", atLeast: 0.7 },
      { text: "≥ 50× Micro v3", of: "ours", against: "Micro v3", atLeast: 50 },
    ],
  },
];

function rowOf(name: string, title: string, kind: "write" | "read"): Row {
  return {
    name,
    title,
    unit: "calls/s",
    contenders: {
      ours: "store.Store through the proxy of micro server, admin's token",
      redis: "Redis, appendfsync always, through node-redis",
      etcd: "one etcd, through etcd3",
      postgres: "PostgreSQL, 64 connections, prepared statements, through pg",
      sqlite: "node:sqlite on a thread of its own, 64 per transaction, no RPC (practical limit)",
      "Micro v3": "the original in Go: its store through its proxy, the admin's token, our client",
    },
    bars: [],
    isApart: true,
    profiled: ["client", "server"],
    async open(bench) {
      const server = await startMicroServer(bench, "ours");
      const authorization = await server.authorization();
      const { proxy } = server.addresses;
      const rpc = bench.use(new RpcClient({ resolve: () => proxy, metadata: () => ({ authorization }) }));
      const client = serviceClient(Store, rpc, "store");
      const folder = await bench.newFolder("sqlite");
      return {
        ours: await measured(bench, kind, storeOf(client)),
        redis: await peer(bench, kind, "redis-server", redisStore(bench)),
        etcd: await peer(bench, kind, "etcd-server", etcdStore(bench)),
        postgres: await peer(bench, kind, "postgresql", postgresStore(bench)),
        sqlite: async (ms) => {
          const { stdout } = await run(process.execPath, [sqliteFile, kind, folder, String(ms)]);
          return { value: Number(stdout) };
        },
      };
    },
    separate: { "Micro v3": (bench) => measureMicroV3(bench, `store-${kind}`) },
  };
}

/** What each contender does. */
interface Records {
  write(key: string, value: Buffer): Promise<unknown>;
  /** Resolves with the value's length. */
  read(key: string): Promise<number | undefined>;
}

function storeOf(client: Client): Records {
  return {
    write: (key, value) => client.write({ record: { key, value } }),
    read: async (key) => (await client.read({ key })).records[0]?.value.length,
  };
}

async function redisStore(bench: Bench): Promise<Records | undefined> {
  const client = await startRedis(bench);
  if (client === undefined) return undefined;
  const binary = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
  return {
    write: (key, value) => client.set(key, value),
    read: async (key) => (await binary.get(key))?.length,
  };
}

async function etcdStore(bench: Bench): Promise<Records | undefined> {
  const client = await startEtcd(bench);
  if (client === undefined) return undefined;
  return {
    write: (key, value) => client.put(key).value(value).exec(),
    read: async (key) => (await client.get(key).buffer())?.length,
  };
}

async function postgresStore(bench: Bench): Promise<Records | undefined> {
  const pool = await startPostgres(bench, inFlight);
  if (pool === undefined) return undefined;
  const put = "INSERT INTO records VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
  const get = "SELECT value FROM records WHERE key = $1";
  return {
    write: (key, value) => pool.query({ name: "put", text: put, values: [key, value] }),
    read: async (key) =>
      (await pool.query<{ value: Buffer }>({ name: "get", text: get, values: [key] })).rows[0]?.value.length,
  };
}

async function peer(
  bench: Bench,
  kind: "write" | "read",
  debianPackage: string,
  records: Promise<Records | undefined>,
): Promise<Measure | Skipped> {
  const started = await records;
  if (started === undefined) return { skipped: `not installed (Debian: ${debianPackage})` };
  return measured(bench, kind, started);
}

async function measured(bench: Bench, kind: "write" | "read", records: Records): Promise<Measure> {
  let operation = 0;
  const write = async () => {
    await records.write(recordKey(operation++), recordValue);
  };
  const read = async () => {
    if ((await records.read(recordKey(operation++))) !== recordValue.length) throw new Error("a wrong record");
  };
  if (kind === "read")
    for (let first = 0; first < recordCount; first += inFlight)
      await Promise.all(Array.from({ length: inFlight }, write));
  const call = kind === "write" ? write : read;
  await call();
  return (ms) => closedLoop(call, { inFlight, ms, signal: bench.signal });
}
