/**
 * Load on Micro v3 from inside its network. Run as `micro-v3-load.ts <work> [address of the echo service]`: says "signed in", is told to go on,
 * says "ready" when the first call was answered, and measures for as many milliseconds as a message says.
 */
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { defaultTimeoutMs, RpcClient, type ServiceClient, serviceClient } from "@microts/core/rpc";
import { Auth } from "@microts/proto/auth";
import { Stream } from "@microts/proto/events";
import { Registry } from "@microts/proto/registry";
import { Store } from "@microts/proto/store";
import { microV3 } from "../engines/micro-v3.ts";
import { HttpConnection, httpRequest } from "../http-connection.ts";
import { closedLoop } from "../load.ts";
import { checkEcho, echoEndpoint, echoMessage, echoService } from "./echo.ts";
import { helloAnswer, helloRequests } from "./hello.ts";
import { recordKey, recordValue } from "./record.ts";

export const microV3LoadFile = import.meta.filename;

export type MicroV3Work = keyof typeof works;

const { api, proxy, admin } = microV3;
const inFlight = 64;
/** As h2load has it. */
const proxyConnections = 4;
/** Few, since it takes them slowly. */
const recordsRead = 256;
/** Its services find each other within half a minute. */
const startMs = 90_000;
const signal = new AbortController().signal;

type Call = (slot: number) => Promise<void>;

interface Scene {
  readonly authorization: string;
  /** A client with connections of its own, and the admin's token. */
  connect(): RpcClient;
  /** Where the echo service listens. */
  readonly echo: string;
}

const works = {
  "store-write": async ({ connect }: Scene) =>
    writing(serviceClient(Store, connect(), "store"), Number.POSITIVE_INFINITY),
  "store-read": async ({ connect }: Scene) => {
    const store = serviceClient(Store, connect(), "store");
    const write = writing(store, recordsRead);
    await answered(() => write(0));
    for (let left = recordsRead; left > 0; left -= 8) await Promise.all(Array.from({ length: 8 }, write));
    let operation = 0;
    return async () => {
      const { records } = await store.read({ key: recordKey(operation++ % recordsRead) });
      if (records[0]?.value.length !== recordValue.length) throw new Error("a wrong record");
    };
  },
  "event-publish": async ({ connect }: Scene) => {
    const stream = serviceClient(Stream, connect(), "events");
    return async () => {
      await stream.publish({ topic: "events", payload: recordValue });
    };
  },
  proxy: async ({ connect, echo }: Scene) => {
    const registered = { name: echoService, version: "latest", nodes: [{ id: "echo-1", address: echo }] };
    await answered(() => serviceClient(Registry, connect(), "registry").register(registered));
    const clients = Array.from({ length: proxyConnections }, connect);
    return async (slot: number) => {
      const reply = clients[slot % proxyConnections]?.unary(echoService, echoEndpoint, echoMessage);
      checkEcho((await reply) ?? Buffer.alloc(0));
    };
  },
  "gateway-get": async ({ authorization }: Scene) =>
    requesting(httpRequest(helloRequests.GET.path, { Authorization: authorization })),
  "gateway-post": async ({ authorization }: Scene) => requesting(chunkedPost(authorization)),
} satisfies Record<string, (scene: Scene) => Promise<Call>>;

function writing(store: ServiceClient<(typeof Store)["method"]>, keys: number): Call {
  let operation = 0;
  return async () => {
    await store.write({ record: { key: recordKey(operation++ % keys), value: recordValue } });
  };
}

/** A connection for each slot, and another one after a failure. An answer has as long to come as that of a call over gRPC. */
function requesting(request: Buffer): Call {
  const connections = new Map<number, HttpConnection>();
  return async (slot) => {
    const connection = connections.get(slot) ?? (await HttpConnection.open(api, request, helloAnswer));
    connections.delete(slot);
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(new Error(`no answer from ${api} in time`)), defaultTimeoutMs);
    try {
      await Promise.race([connection.request(), late.promise]);
      connections.set(slot, connection);
    } catch (error) {
      await connection[Symbol.asyncDispose]();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  };
}

/**
 * Without a Content-Length: its gateway passes that on to the service, where it belies the length of the gRPC message, and a service of ours
 * refuses such a request as HTTP/2 tells it to.
 */
function chunkedPost(authorization: string): Buffer {
  const { path, body } = helloRequests.POST;
  const fields = { Host: api, Authorization: authorization, "Content-Type": "application/json" };
  const lines = Object.entries({ ...fields, "Transfer-Encoding": "chunked" }).map(
    ([name, value]) => `${name}: ${value}`,
  );
  const chunks = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
  return Buffer.from(`POST ${path} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n${chunks}`);
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

/** With the admin that it comes with. */
async function signedIn(echo: string): Promise<Scene> {
  const auth = serviceClient(Auth, new RpcClient({ resolve: () => proxy }), "auth");
  const { token } = await answered(() => auth.token({ ...admin, tokenExpiry: 3600n }));
  const authorization = `Bearer ${token?.accessToken}`;
  const metadata = { authorization, "micro-namespace": "micro" };
  return { authorization, echo, connect: () => new RpcClient({ resolve: () => proxy, metadata: () => metadata }) };
}

if (import.meta.main) {
  const [, , work, echo = ""] = process.argv;
  const scene = await signedIn(echo);
  process.send?.("signed in");
  await once(process, "message");
  const call = await works[work as MicroV3Work](scene);
  await answered(() => call(0));
  process.on("message", async (ms) => {
    process.send?.(await closedLoop(call, { inFlight, ms: Number(ms), signal, mayFail: true }));
  });
  process.send?.("ready");
}
