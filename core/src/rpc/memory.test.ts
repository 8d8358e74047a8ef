// What connections and streams that do nothing much cost.
import { ok } from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { callText } from "../../../testing/src/calls.ts";
import { Child } from "../../../testing/src/child.ts";
import { type ClientCall, Connections } from "./index.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;
const isNightly = process.env["MICRO_NIGHTLY"] !== undefined;
const maxBytes = 40 * 1024;

/** A server in a process of its own: echoes messages until the half-close, and tells its resident memory after a collection. */
const program = `
  import { setFlagsFromString } from "node:v8";
  import { runInNewContext } from "node:vm";
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc");
  const { listen } = await import("${new URL("index.ts", import.meta.url)}");
  const server = await listen(async (call) => {
    for (let message = await call.read(); message !== undefined; message = await call.read()) {
      if (call.path !== "/test.Test/Memory") { await call.send(message); continue; }
      for (let n = 0; n < 4; n++) { collect(); await new Promise((resolve) => setTimeout(resolve, 50)); }
      await call.send(Buffer.from(String(process.memoryUsage.rss())));
    }
  }, { address: "127.0.0.1:0", limits: { maxConcurrentStreams: 20_000 } });
  console.log("on " + server.address + ";");`;

async function serving() {
  const child = new Child("--input-type=module", ["-e", program], {
    cwd: fileURLToPath(new URL(".", import.meta.url)),
    env: {},
  });
  const address = (await child.saying(/on (.*);/))[1] as string;
  const asking = new Connections();
  return {
    address,
    residentBytes: async () => Number(await callText(asking, address, { path: "/test.Test/Memory" })),
    async [Symbol.asyncDispose]() {
      await asking[Symbol.asyncDispose]();
      await child[Symbol.asyncDispose]();
    },
  };
}

/** Bytes that this process holds after a collection. */
function heldBytes(): number {
  collect();
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

const metadata = { authorization: `Bearer ${"x".repeat(300)}`, "x-a": "some value" };
const kib = (bytes: number) => `${(bytes / 1024).toFixed(1)} KiB`;

describe("memory", () => {
  it("of an idle connection is at most 40 KiB on either side", async (context) => {
    await using server = await serving();
    await using all = new AsyncDisposableStack();
    const connect = async () => {
      const connections = all.use(new Connections());
      await callText(connections, server.address, { metadata });
    };
    for (let n = 0; n < 50; n++) await connect();
    const [before, ours] = [await server.residentBytes(), heldBytes()];
    const count = 1000;
    for (let n = 0; n < count; n += 50) await Promise.all(Array.from({ length: 50 }, connect));
    const each = ((await server.residentBytes()) - before) / count;
    const mine = (heldBytes() - ours) / count;
    context.diagnostic(`a server's idle connection: ${kib(each)}, a client's: ${kib(mine)}`);
    ok(each <= maxBytes && mine <= maxBytes, `${kib(each)} and ${kib(mine)}`);
  });

  const count = isNightly ? 10_000 : 2000;
  const seconds = isNightly ? 20 : 2;
  it(`of one of ${count} streams that carry 100 B/s is at most 40 KiB on either side, and all get on alike`, async (context) => {
    await using server = await serving();
    await using connections = new Connections();
    const start = { path: "/test.Test/Echo", contentType: "application/grpc", metadata, deadline: undefined };
    const message = Buffer.alloc(100, "x");
    const exchange = async (call: ClientCall) => {
      await call.send(message);
      ok((await call.read())?.length === message.length);
    };
    const open = async () => {
      const call = connections.open(server.address, start, undefined);
      await exchange(call);
      return call;
    };
    await open();
    const [before, ours] = [await server.residentBytes(), heldBytes()];
    const calls: ClientCall[] = [];
    while (calls.length < count) calls.push(...(await Promise.all(Array.from({ length: 500 }, open))));
    const until = Date.now() + seconds * 1000;
    const exchanged = await Promise.all(
      calls.map(async (call) => {
        let times = 0;
        for (; Date.now() < until; times++) {
          await exchange(call);
          await delay(1000);
        }
        return times;
      }),
    );
    const each = ((await server.residentBytes()) - before) / count;
    const mine = (heldBytes() - ours) / count;
    const [least, most] = [Math.min(...exchanged), Math.max(...exchanged)];
    context.diagnostic(`a server's stream: ${kib(each)}, a client's: ${kib(mine)}; messages: ${least} to ${most}`);
    ok(each <= maxBytes && mine <= maxBytes, `${kib(each)} and ${kib(mine)}`);
    ok(most <= 2 * least, `one stream carried ${least} messages, another ${most}`);
  });
});
