/**
 * Load on Micro v3 from inside its network. Run as `micro-v3-load.ts <work>`: says "ready" when the first call was answered, and measures for
 * as many milliseconds as a message says.
 */
import { setTimeout as delay } from "node:timers/promises";
import { RpcClient, type ServiceClient, serviceClient } from "@microts/core/rpc";
import { Auth } from "@microts/proto/auth";
import { Store } from "@microts/proto/store";
import { closedLoop } from "../load.ts";
import { recordKey, recordValue } from "./record.ts";

export const microV3LoadFile = import.meta.filename;

export type MicroV3Work = keyof typeof works;

const proxy = "127.0.0.1:8081";
const inFlight = 64;
/** Few, since it takes them slowly. */
const recordsRead = 256;
/** Its services find each other within half a minute. */
const startMs = 90_000;
const signal = new AbortController().signal;

type Call = () => Promise<void>;

const works = {
  "store-write": async (rpc: RpcClient) => writing(serviceClient(Store, rpc, "store"), Number.POSITIVE_INFINITY),
  "store-read": async (rpc: RpcClient) => {
    const store = serviceClient(Store, rpc, "store");
    const write = writing(store, recordsRead);
    await answered(write);
    for (let left = recordsRead; left > 0; left -= 8) await Promise.all(Array.from({ length: 8 }, write));
    let operation = 0;
    return async () => {
      const { records } = await store.read({ key: recordKey(operation++ % recordsRead) });
      if (records[0]?.value.length !== recordValue.length) throw new Error("a wrong record");
    };
  },
} satisfies Record<string, (rpc: RpcClient) => Promise<Call>>;

function writing(store: ServiceClient<(typeof Store)["method"]>, keys: number): Call {
  let operation = 0;
  return async () => {
    await store.write({ record: { key: recordKey(operation++ % keys), value: recordValue } });
  };
}

/** Resolves with what a call gives when it is answered at last. */
async function answered<T>(call: () => Promise<T>): Promise<T> {
  for (const endMs = Date.now() + startMs; ; await delay(100)) {
    try {
      return await call();
    } catch (error) {
      if (Date.now() > endMs) throw error;
    }
  }
}

/** The admin that it comes with. */
async function signedIn(): Promise<RpcClient> {
  const auth = serviceClient(Auth, new RpcClient({ resolve: () => proxy }), "auth");
  const { token } = await answered(() => auth.token({ id: "admin", secret: "micro", tokenExpiry: 3600n }));
  const metadata = { authorization: `Bearer ${token?.accessToken}`, "micro-namespace": "micro" };
  return new RpcClient({ resolve: () => proxy, metadata: () => metadata });
}

if (import.meta.main) {
  const call = await works[process.argv[2] as MicroV3Work](await signedIn());
  await answered(call);
  process.on("message", async (ms) => {
    process.send?.(await closedLoop(call, { inFlight, ms: Number(ms), signal, mayFail: true }));
  });
  process.send?.("ready");
}
