import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { RpcClient, type ServiceClient, serviceClient } from "@microts/core/rpc";
import { Store } from "@microts/proto/store";
import type { Bench } from "../bench.ts";
import { closedLoop } from "../load.ts";
import { startMicroServer } from "../micro-server.ts";
import { recordCount, recordKey, recordValue } from "../peers/record.ts";
import { sqliteFile } from "../peers/sqlite.ts";
import type { Measure, Row } from "../row.ts";

const run = promisify(execFile);
const inFlight = 64;

type Client = ServiceClient<(typeof Store)["method"]>;

/** The store of `micro server` through its proxy. */
export const store: readonly Row[] = [
  {
    ...rowOf("store-write", "Store.Write of 200 B through RPC, 64 in flight, acknowledged after fsync", "write"),
    waiting: ["≥ 0.5× Redis appendfsync always", "≥ 5× etcd", "≥ 4× PostgreSQL", "≥ 100× Micro v3 (Go)"],
  },
  {
    ...rowOf("store-read", "Store.Read of 200 B through RPC, 64 in flight", "read"),
    waiting: ["≥ 0.7× Redis GET", "≥ 50× Micro v3 (Go)"],
  },
];

function rowOf(name: string, title: string, kind: "write" | "read"): Row {
  return {
    name,
    title,
    unit: "calls/s",
    contenders: {
      ours: "store.Store through the proxy of micro server, admin's token",
      sqlite: "node:sqlite on a thread of its own, 64 per transaction, no RPC (practical limit)",
    },
    bars: [],
    profiled: ["client", "server"],
    async open(bench) {
      const server = await startMicroServer(bench, "ours");
      const authorization = await server.authorization();
      const { proxy } = server.addresses;
      const rpc = bench.use(new RpcClient({ resolve: () => proxy, metadata: () => ({ authorization }) }));
      const client = serviceClient(Store, rpc, "store");
      const folder = await bench.newFolder("sqlite");
      return {
        ours: kind === "write" ? writes(bench, client) : await reads(bench, client),
        sqlite: async (ms) => {
          const { stdout } = await run(process.execPath, [sqliteFile, kind, folder, String(ms)]);
          return { value: Number(stdout) };
        },
      };
    },
  };
}

function writes(bench: Bench, client: Client): Measure {
  let operation = 0;
  const call = async () => {
    await client.write({ record: { key: recordKey(operation++), value: recordValue } });
  };
  return (ms) => closedLoop(call, { inFlight, ms, signal: bench.signal });
}

async function reads(bench: Bench, client: Client): Promise<Measure> {
  for (let first = 0; first < recordCount; first += inFlight) {
    const keys = Array.from({ length: inFlight }, (_, at) => recordKey(first + at));
    await Promise.all(keys.map((key) => client.write({ record: { key, value: recordValue } })));
  }
  let operation = 0;
  const call = async () => {
    const { records } = await client.read({ key: recordKey(operation++) });
    if (records[0]?.value.length !== recordValue.length) throw new Error("a wrong record");
  };
  return (ms) => closedLoop(call, { inFlight, ms, signal: bench.signal });
}
