// Clients that vanish in the middle of their calls leave nothing: a thousand of them, in each way, with MICRO_NIGHTLY.
import { deepEqual, equal, ok } from "node:assert/strict";
import { describe, it } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { RawHttp2 } from "../../../testing/src/raw-http2.ts";
import { frame, grpcRequest, RawType } from "../../../testing/src/raw-http2-frames.ts";
import { until } from "../../../testing/src/until.ts";
import { type CallHandler, Connections, forward, type Listener, listen } from "./index.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;
const isNightly = process.env["MICRO_NIGHTLY"] !== undefined;
const clients = isNightly ? 1000 : 250;

/** A server whose calls are open until their callers go, and a proxy in front of it. */
async function serving() {
  let running = 0;
  const handler: CallHandler = async (call) => {
    running++;
    try {
      await call.send(Buffer.alloc(1000));
      await new Promise((_, reject) => call.signal.addEventListener("abort", () => reject(call.signal.reason)));
    } finally {
      running--;
    }
  };
  // A client that doesn't answer for this time is gone. The clients are in this process, and it is busy with all of them.
  const options = { address: "127.0.0.1:0", keepalive: { afterMs: 500, timeoutMs: 2000 } };
  const server = await listen(handler, options);
  const connections = new Connections({ maxConnectionsPerNode: 20 });
  const proxy = await listen((call) => forward(call, connections, server.address, {}), options);
  return {
    server,
    proxy,
    get running() {
      return running;
    },
    async [Symbol.asyncDispose]() {
      await proxy.close(0);
      await connections[Symbol.asyncDispose]();
      await server.close(0);
    },
  };
}

/** Clients with one call each, all of which are running. */
async function connected(to: Listener, runs: () => number): Promise<RawHttp2[]> {
  const all: RawHttp2[] = [];
  while (all.length < clients)
    all.push(...(await Promise.all(Array.from({ length: 50 }, () => RawHttp2.connect(to.address)))));
  for (const client of all)
    client.send(
      grpcRequest(1, "/test.Test/Wait", ["grpc-timeout", "1H"], false),
      frame(RawType.data, 0, 1, Buffer.alloc(5)),
    );
  await until(
    async () => runs(),
    (count) => count === clients,
  );
  return all;
}

/** Bytes that this process holds after a collection. */
function heldBytes(): number {
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

const ways: Readonly<Record<string, (client: RawHttp2) => void>> = {
  "reset their connections": (client) => client.socket.resetAndDestroy(),
  "close their connections": (client) => client.socket.destroy(),
  // As after a cable was pulled: the connection stays, and nobody is behind it.
  "say nothing any more": (client) => void client.socket.pause(),
};

/** Who vanishes from where. */
const cases = isNightly
  ? Object.keys(ways).flatMap((way) => (["server", "proxy"] as const).map((from) => [way, from] as const))
  : ([
      ["reset their connections", "proxy"],
      ["close their connections", "server"],
      ["say nothing any more", "server"],
    ] as const);

describe(`${clients} clients`, () => {
  for (const [way, from] of cases)
    it(`of a ${from} that ${way} end their calls and leave no memory behind`, async () => {
      await using all = await serving();
      const to = all[from];
      const round = async () => {
        const gone = await connected(to, () => all.running);
        equal(to.load.connections, clients);
        for (const client of gone) ways[way]?.(client);
        await until(
          async () => [to.load, all.running] as const,
          ([load, running]) => load.connections === 0 && running === 0,
        );
        deepEqual([to.load.calls, all.server.load.calls], [0, 0]);
        for (const client of gone) client[Symbol.dispose]();
      };
      const mostBytes = 512 * 1024 + clients * 1024;
      const grownBytes: number[] = [];
      // What the first ones leave is what a busy process keeps anyway, and one round may not be enough for it on a busy machine. What clients leave,
      // each round leaves again.
      await round();
      do {
        ok(grownBytes.length < 4, `each round left more than ${mostBytes} bytes: ${grownBytes}`);
        // Sockets linger for a moment, that their GOAWAY may be read.
        await new Promise((resolve) => setTimeout(resolve, 600));
        const before = heldBytes();
        await round();
        let grown = heldBytes() - before;
        for (let wait = 0; grown >= mostBytes && wait < 20; wait++) {
          await new Promise((resolve) => setTimeout(resolve, 100));
          grown = heldBytes() - before;
        }
        grownBytes.push(grown);
      } while ((grownBytes.at(-1) ?? 0) >= mostBytes);
    });
});
