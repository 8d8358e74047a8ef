import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { RpcClient } from "@microts/core/rpc";
import type { Bench } from "../bench.ts";
import { downEndpoint, echoMessage, echoService, tickEndpoint, tickMessage } from "../peers/echo.ts";
import { connectGrpcJs, grpcJsFile } from "../peers/grpc-js.ts";
import { http2File } from "../peers/http2.ts";
import { connectMicroRpc, microRpcFile } from "../peers/micro-rpc.ts";
import type { Measure, Row } from "../row.ts";

const streamCount = 10_000;
const idleCount = 1000;
/** A full garbage collection isn't asked for: what a process is seen to take is what is meant. */
const settleMs = 2000;

/** What many streams and connections cost, and whether they are served alike. */
export const many: readonly Row[] = [
  {
    name: "streams-fairness",
    title: "10,000 streams on 10 connections, each sent 100 B a second: most and fewest messages of a stream",
    unit: "max/min",
    contenders: { ours: "RpcClient + listen + serveMethod, one process each" },
    bars: [{ text: "max/min ≤ 2", of: "ours", atMost: 2 }],
    profiled: [],
    async open(bench) {
      const streams = await openStreams(bench);
      return {
        ours: async () => {
          const before = streams.counts.slice();
          await delay(10_000, undefined, { signal: bench.signal });
          streams.check();
          const during = streams.counts.map((count, at) => count - (before[at] ?? 0));
          return { value: Math.max(...during) / Math.min(...during) };
        },
      };
    },
  },
  {
    name: "streams-memory",
    title: "10,000 streams on 10 connections, each sent 100 B a second: resident memory of the server, per stream",
    unit: "KiB",
    contenders: {
      ours: "listen + serveMethod, an async generator with a timer per stream",
    },
    bars: [{ text: "≤ 40 KiB", of: "ours", atMost: 40 }],
    profiled: [],
    async open(bench) {
      const streams = await openStreams(bench);
      return {
        ours: async () => {
          await delay(settleMs, undefined, { signal: bench.signal });
          streams.check();
          const grownMiB = (await bench.server("ours").residentMiB()) - streams.serverMiB;
          return { value: (grownMiB * 1024) / streamCount };
        },
      };
    },
  },
  {
    name: "connections-memory",
    title: "1,000 idle connections that have exchanged SETTINGS: resident memory of the server, per connection",
    unit: "KiB",
    contenders: { ours: "listen", "grpc-js": "@grpc/grpc-js server", http2: "raw node:http2 server" },
    bars: [{ text: "≤ 40 KiB", of: "ours", atMost: 40 }],
    profiled: [],
    async open(bench) {
      return {
        ours: await idleConnections(bench, "ours", microRpcFile),
        "grpc-js": await idleConnections(bench, "grpc-js", grpcJsFile),
        http2: await idleConnections(bench, "http2", http2File),
      };
    },
  },
  {
    name: "slow-reader",
    title: "A hundred streams of 1 KiB messages whose caller never reads: growth of the server's resident memory",
    unit: "MiB",
    contenders: { ours: "listen + serveMethod", "grpc-js": "@grpc/grpc-js server that waits for drain" },
    bars: [{ text: "bounded: ≤ 64 MiB for 100 streams", of: "ours", atMost: 64 }],
    profiled: [],
    async open(bench) {
      const [micro, grpcJs] = await Promise.all([
        bench.serve("ours", microRpcFile),
        bench.serve("grpc-js", grpcJsFile),
      ]);
      const client = bench.use(connectMicroRpc(micro.address, micro.authorization ?? ""));
      const peer = bench.use(connectGrpcJs(grpcJs.address));
      return {
        ours: unread(bench, "ours", async (signal) => {
          const replies = client.serverStream(echoService, downEndpoint, echoMessage, { signal });
          await replies.next();
          return replies;
        }),
        "grpc-js": unread(bench, "grpc-js", async (signal) => peer.pausedDown(signal)),
      };
    },
  },
];

/** Streams that nobody reads, for as long as the measure lasts. */
function unread(bench: Bench, name: string, open: (signal: AbortSignal) => Promise<unknown>): Measure {
  let before: number | undefined;
  return async (ms) => {
    const server = bench.server(name);
    before ??= await server.residentMiB();
    const left = new AbortController();
    const opened = await Promise.all(Array.from({ length: 100 }, () => open(left.signal)));
    await delay(ms, undefined, { signal: bench.signal });
    const value = Math.max(0, (await server.residentMiB()) - before);
    left.abort();
    opened.length = 0;
    return { value };
  };
}

interface Streams {
  /** Messages that each stream has received. */
  readonly counts: number[];
  /** Memory of the server when one stream was open. */
  readonly serverMiB: number;
  /** Throws when a stream has ended. */
  check(): void;
}

async function openStreams(bench: Bench): Promise<Streams> {
  const { address, authorization = "" } = await bench.serve("ours", microRpcFile);
  const clients = Array.from({ length: 10 }, () => bench.use(connectMicroRpc(address, authorization)));
  const counts: number[] = new Array(streamCount).fill(0);
  let ended: unknown;
  const read = async (client: RpcClient, at: number, opened: () => void) => {
    const { signal } = bench;
    for await (const message of client.serverStream(echoService, tickEndpoint, echoMessage, { signal })) {
      if (message.length !== tickMessage.length) throw new Error(`a wrong message of ${message.length} bytes`);
      const count = (counts[at] ?? 0) + 1;
      counts[at] = count;
      if (count === 1) opened();
    }
    throw new Error(`stream ${at} has ended`);
  };
  const open = (at: number) =>
    new Promise<void>((opened, failed) => {
      read(clients[at % clients.length] as RpcClient, at, opened).catch((error: unknown) => {
        ended ??= error;
        failed(error);
      });
    });
  await open(0);
  await delay(settleMs);
  const serverMiB = await bench.server("ours").residentMiB();
  // A few at a time, spread over a second as callers are.
  for (let at = 1; at < streamCount; at += 100) {
    const these = Array.from({ length: Math.min(100, streamCount - at) }, (_, n) => open(at + n));
    await Promise.all(these);
    await delay(10);
  }
  return {
    counts,
    serverMiB,
    check: () => {
      if (ended !== undefined && !bench.signal.aborted) throw ended;
    },
  };
}

/** Opens them when it is measured first. They stay open, so that later rounds see what settles. */
async function idleConnections(bench: Bench, name: string, file: string): Promise<Measure> {
  const { address } = await bench.serve(name, file);
  const server = bench.server(name);
  const sockets: Socket[] = [];
  bench.use({
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
    },
  });
  const open = async () => {
    const [host, port] = address.split(":");
    const socket = connect(Number(port), host);
    sockets.push(socket);
    socket.on("error", () => {});
    socket.write(opening);
    // The server's SETTINGS: it has made what it makes for a connection.
    await once(socket, "data");
    socket.resume();
    socket.write(settingsAck);
  };
  await open();
  await delay(settleMs);
  const before = await server.residentMiB();
  while (sockets.length <= idleCount) await Promise.all(Array.from({ length: 50 }, open));
  return async () => {
    await delay(settleMs, undefined, { signal: bench.signal });
    if (sockets.some((socket) => socket.destroyed)) throw new Error(`${name} has closed an idle connection`);
    return { value: (((await server.residentMiB()) - before) * 1024) / (sockets.length - 1) };
  };
}

const settingsAck = Buffer.from([0, 0, 0, 4, 1, 0, 0, 0, 0]);
/** The preface and empty SETTINGS (RFC 9113 §3.4). */
const opening = Buffer.concat([
  Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1"),
  Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
]);
