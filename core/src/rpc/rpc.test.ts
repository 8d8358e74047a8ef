import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { describe, it } from "node:test";
import { Store } from "@microts/proto/store";
import { MicroError } from "../errors.ts";
import {
  Connections,
  findMethod,
  forward,
  type Handlers,
  type Listener,
  listen,
  methodsOf,
  parsePath,
  RpcClient,
  serveMethod,
  serviceClient,
} from "./index.ts";

type StoreHandlers = Handlers<(typeof Store)["method"]>;

const unused = async () => {
  throw MicroError.notImplemented("store", "not part of these tests");
};

const handlers: StoreHandlers = {
  read: async ({ key }, { metadata }) => ({ records: [{ key, value: Buffer.from(metadata["x-echo"] ?? "") }] }),
  write: async () => {
    throw MicroError.forbidden("store.Store.Write", "100% refused: é <&>");
  },
  delete: (_, { signal }) =>
    new Promise((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason));
    }),
  list: async function* ({ options }) {
    for (let n = 0; n < Number(options?.limit ?? 3n); n++) yield { keys: [`k${n}`] };
  },
  databases: async () => {
    throw new Error("something broke");
  },
  tables: async ({ database }) => ({ tables: ["x".repeat(Number(database))] }),
  get: unused,
  scan: unused,
  count: unused,
  commit: unused,
  watch: unused,
  snapshot: unused,
};

/** A server with the handlers above, and a proxy in front of it. */
async function start(over: Partial<StoreHandlers> = {}) {
  const methods = new Map(methodsOf(Store, { ...handlers, ...over }).map((method) => [method.name, method]));
  const server = await listen(
    async (call) => {
      const { service, endpoint } = parsePath(call.path);
      await serveMethod(call, findMethod(methods, service, endpoint), {
        service,
        account: undefined,
        namespace: "micro",
      });
    },
    { address: "127.0.0.1:0" },
  );
  const connections = new Connections();
  const proxy = await listen((call) => forward(call, connections, server.address, call.metadata), {
    address: "127.0.0.1:0",
  });
  return {
    server,
    proxy,
    async [Symbol.asyncDispose]() {
      await Promise.all([server.close(0), proxy.close(0)]);
      await connections[Symbol.asyncDispose]();
    },
  };
}

for (const way of ["server", "proxy"] as const) {
  describe(way === "server" ? "a call" : "a call through a proxy", () => {
    const to = (listeners: Record<"server" | "proxy", Listener>) =>
      new RpcClient({ resolve: () => listeners[way].address });

    it("carries a message and metadata there and a message back", async () => {
      await using listeners = await start();
      await using rpc = to(listeners);
      const store = serviceClient(Store, rpc, "store");
      const { records } = await store.read({ key: "ä" }, { metadata: { "x-echo": "hello" } });
      equal(records[0]?.key, "ä");
      equal(Buffer.from(records[0]?.value ?? []).toString(), "hello");
    });

    it("speaks Micro's JSON as well as protobuf", async () => {
      await using listeners = await start();
      await using rpc = to(listeners);
      deepEqual(await rpc.callJson("store", "Store.Read", { key: "a" }), {
        records: [{ key: "a", value: "", expiry: "0", metadata: {} }],
      });
    });

    it("brings the Micro error whole", async () => {
      await using listeners = await start();
      await using rpc = to(listeners);
      await rejects(serviceClient(Store, rpc, "store").write({}), {
        code: 403,
        id: "store.Store.Write",
        detail: "100% refused: é <&>",
      });
    });

    it("says nothing of the stack when a handler breaks", async () => {
      await using listeners = await start();
      await using rpc = to(listeners);
      const error = await serviceClient(Store, rpc, "store")
        .databases({})
        .then(
          () => undefined,
          (reason: MicroError) => reason,
        );
      equal(error?.code, 500);
      equal(error?.detail, "something broke");
    });

    it("streams replies, in order, with back-pressure", async () => {
      await using listeners = await start();
      await using rpc = to(listeners);
      let n = 0;
      for await (const { keys } of serviceClient(Store, rpc, "store").list({ options: { limit: 2000n } }))
        equal(keys[0], `k${n++}`);
      equal(n, 2000);
    });

    it("tells the handler when the caller leaves a stream", async () => {
      const left = Promise.withResolvers<void>();
      await using listeners = await start({
        list: async function* (_, { signal }) {
          signal.addEventListener("abort", () => left.resolve());
          for (let n = 0; ; n++) {
            yield { keys: [String(n)] };
            await new Promise((resolve) => setTimeout(resolve, 1));
          }
        },
      });
      await using rpc = to(listeners);
      for await (const { keys } of serviceClient(Store, rpc, "store").list({})) if (keys[0] === "3") break;
      await left.promise;
    });

    it("ends at its deadline on both sides (PX-06)", async () => {
      const seen = Promise.withResolvers<unknown>();
      await using listeners = await start({
        delete: (_, { signal, deadline }) =>
          new Promise(() => {
            ok(deadline !== undefined && deadline.getTime() <= Date.now() + 1001);
            signal.addEventListener("abort", () => seen.resolve(signal.reason));
          }),
      });
      await using rpc = to(listeners);
      await rejects(serviceClient(Store, rpc, "store").delete({}, { timeoutMs: 1000 }), { code: 408 });
      await seen.promise;
    });

    it("is cancelled by its signal", async () => {
      await using listeners = await start();
      await using rpc = to(listeners);
      const abort = new AbortController();
      const call = serviceClient(Store, rpc, "store").delete({}, { signal: abort.signal });
      setImmediate(() => abort.abort());
      await rejects(call, { code: 499 });
    });

    it("carries a message of 20 MiB and refuses one past 32 MiB (PX-03)", async () => {
      await using listeners = await start();
      await using rpc = to(listeners);
      const store = serviceClient(Store, rpc, "store");
      const { tables } = await store.tables({ database: String(20 * 1024 * 1024) });
      equal(tables[0]?.length, 20 * 1024 * 1024);
      await rejects(store.tables({ database: String(33 * 1024 * 1024) }), { code: 429, detail: /over the limit/ });
      await store.read({ key: "the connection survives" });
    });

    it("names what a service has when the endpoint is unknown", async () => {
      await using listeners = await start();
      await using rpc = to(listeners);
      await rejects(rpc.callJson("store", "Store.Nope", {}), {
        code: 501,
        detail: /^unknown service Store\.Nope\. .*Store\.Read/,
      });
      await rejects(rpc.callJson("store", "Shop.Read", {}), { code: 501, detail: /^unknown service Shop\. / });
    });

    it("refuses bad JSON naming what is wrong", async () => {
      await using listeners = await start();
      await using rpc = to(listeners);
      await rejects(rpc.unary("store", "Store.Read", Buffer.from("{nope"), { format: "json" }), { code: 400 });
      await rejects(rpc.callJson("store", "Store.Read", { key: { a: 1 } }), { code: 400, detail: /key/ });
    });
  });
}

describe("RpcClient", () => {
  it("says who doesn't listen", async () => {
    await using rpc = new RpcClient({ resolve: () => "127.0.0.1:1" });
    await rejects(rpc.callJson("a", "A.B", {}), {
      code: 503,
      detail: "nothing listens on 127.0.0.1:1 (connection refused)",
    });
  });

  it("says when what listens isn't gRPC", async () => {
    const { createServer } = await import("node:net");
    const server = createServer((socket) => {
      socket.on("error", () => {});
      socket.end("HTTP/1.1 200 OK\r\n\r\n", () => socket.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    await using rpc = new RpcClient({ resolve: () => `127.0.0.1:${port}` });
    await rejects(rpc.callJson("a", "A.B", {}), { code: 503 });
    await new Promise((resolve) => server.close(resolve));
  });

  it("connects again after the server was restarted", async () => {
    const first = await start();
    let address = first.server.address;
    await using rpc = new RpcClient({ resolve: () => address });
    await rpc.callJson("store", "Store.Read", {});
    await first[Symbol.asyncDispose]();
    await rejects(rpc.callJson("store", "Store.Read", {}), { code: 503 });
    await using second = await start();
    address = second.server.address;
    await rpc.callJson("store", "Store.Read", {});
  });

  it("refuses a malformed method before sending anything", async () => {
    await using rpc = new RpcClient({ resolve: () => "127.0.0.1:1" });
    for (const endpoint of ["Call", "a.b.c", ".x"]) {
      await rejects(rpc.callJson("a", endpoint, {}), (error: MicroError) => {
        match(error.detail, /malformed method name/);
        return error.code === 400;
      });
    }
  });
});
