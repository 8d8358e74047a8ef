// How many connections a client has to one node, and what waits for them.
import { deepEqual, equal, notEqual, ok, rejects } from "node:assert/strict";
import { describe, it } from "node:test";
import { callText, echo, status } from "../../../testing/src/calls.ts";
import { until } from "../../../testing/src/until.ts";
import { GrpcStatus } from "../errors.ts";
import { type CallHandler, Connections, type ConnectionsOptions, type ListenOptions, listen } from "./index.ts";

/** A server that holds its calls until told, and counts them and their connections. */
async function held(limits: ListenOptions["limits"] = {}, options: ConnectionsOptions = {}) {
  let go = Promise.withResolvers<void>();
  const peers = new Set<string>();
  const seen: string[] = [];
  const counts = { running: 0, most: 0 };
  const handler: CallHandler = async (call) => {
    peers.add(call.peer);
    const message = await call.read();
    seen.push(Buffer.from(message ?? []).toString());
    counts.most = Math.max(counts.most, ++counts.running);
    await go.promise;
    counts.running--;
    await call.send(message ?? Buffer.alloc(0));
  };
  const server = await listen(handler, { address: "127.0.0.1:0", limits });
  const connections = new Connections(options);
  return {
    address: server.address,
    connections,
    peers,
    seen,
    counts,
    hold: () => {
      go = Promise.withResolvers();
    },
    release: () => go.resolve(),
    running: (count: number) =>
      until(
        async () => counts.running,
        (now) => now === count,
      ),
    async [Symbol.asyncDispose]() {
      go.resolve();
      await connections[Symbol.asyncDispose]();
      await server.close(0);
    },
  };
}

const calls = (count: number, call: (n: number) => Promise<string>) =>
  Promise.all(Array.from({ length: count }, (_, n) => call(n)));

describe("the connections to a node", () => {
  it("are one while it has streams for all calls", async () => {
    await using server = await held();
    const all = calls(500, () => callText(server.connections, server.address));
    await server.running(500);
    server.release();
    await all;
    equal(server.peers.size, 1);
  });

  it("grow by one when the streams run out, up to the limit, and the calls above wait their turn", async () => {
    await using server = await held({ maxConcurrentStreams: 10 }, { maxConnectionsPerNode: 3 });
    const first = calls(10, () => callText(server.connections, server.address));
    await server.running(10);
    equal(server.peers.size, 1);
    const second = calls(5, () => callText(server.connections, server.address));
    await server.running(15);
    equal(server.peers.size, 2);
    const others = calls(100, () => callText(server.connections, server.address));
    await server.running(30);
    server.release();
    await Promise.all([first, second, others]);
    equal(server.peers.size, 3);
    equal(server.counts.most, 30);
    // None was refused and sent again.
    equal(server.seen.length, 115);
  });

  it("shrink to what is used, and to none", async () => {
    await using server = await held({ maxConcurrentStreams: 1 }, { idleMs: 200 });
    const both = calls(2, () => callText(server.connections, server.address));
    await server.running(2);
    server.release();
    await both;
    equal(server.peers.size, 2);
    server.peers.clear();
    // One call after the other uses one connection; in this time the other one has closed.
    for (const end = Date.now() + 2500; Date.now() < end; ) await callText(server.connections, server.address);
    equal(server.peers.size, 1);
    server.hold();
    const again = calls(2, () => callText(server.connections, server.address));
    await server.running(2);
    server.release();
    await again;
    equal(server.peers.size, 2);
    const node = server.connections.node(server.address);
    await until(
      async () => server.connections.node(server.address),
      (now) => now !== node,
    );
    equal(await callText(server.connections, server.address), "hello");
    equal(server.peers.size, 3);
  });

  it("stay while a call is open, however quiet", async () => {
    await using server = await held({}, { idleMs: 100 });
    const call = callText(server.connections, server.address);
    await server.running(1);
    await new Promise((resolve) => setTimeout(resolve, 2500));
    server.release();
    equal(await call, "hello");
  });
});

describe("calls above the server's MAX_CONCURRENT_STREAMS", () => {
  it("are sent in their order as others end", async () => {
    await using server = await held({ maxConcurrentStreams: 2 }, { maxConnectionsPerNode: 1 });
    const all = calls(50, (n) => callText(server.connections, server.address, { message: String(n) }));
    await server.running(2);
    server.release();
    await all;
    equal(server.counts.most, 2);
    deepEqual(
      server.seen,
      Array.from({ length: 50 }, (_, n) => String(n)),
    );
  });

  it("end at their deadline or when they are cancelled, and take no place", async () => {
    await using server = await held({ maxConcurrentStreams: 1 }, { maxConnectionsPerNode: 1 });
    const first = callText(server.connections, server.address);
    await server.running(1);
    const abort = new AbortController();
    const late = callText(server.connections, server.address, { timeoutMs: 100 });
    const cancelled = callText(server.connections, server.address, { signal: abort.signal });
    const patient = callText(server.connections, server.address, { message: "patient" });
    await rejects(late, status(GrpcStatus.deadlineExceeded));
    abort.abort();
    await rejects(cancelled, status(GrpcStatus.cancelled));
    server.release();
    equal(await first, "hello");
    equal(await patient, "patient");
    deepEqual(server.seen, ["hello", "patient"]);
  });
});

describe("Connections", () => {
  it("fails the calls that wait and those that come when it is closed", async () => {
    await using server = await held({ maxConcurrentStreams: 1 }, { maxConnectionsPerNode: 1 });
    const node = server.connections.node(server.address);
    const open = callText(server.connections, server.address);
    await server.running(1);
    const waiting = callText(server.connections, server.address);
    await server.connections[Symbol.asyncDispose]();
    await rejects(open, status(GrpcStatus.unavailable, /client was closed/));
    await rejects(waiting, status(GrpcStatus.unavailable, /client was closed/));
    notEqual(server.connections.node(server.address), node);
    await rejects(callText(server.connections, server.address), status(GrpcStatus.unavailable, /client was closed/));
  });

  it("keeps nothing of an address where nobody listened", async () => {
    const gone = await listen(echo, { address: "127.0.0.1:0" });
    await gone.close(0);
    await using connections = new Connections();
    const node = connections.node(gone.address);
    await rejects(callText(connections, gone.address), status(GrpcStatus.unavailable, /nothing listens on/));
    ok(connections.node(gone.address) === node, "forgot the node in the middle of its wait");
    await until(
      async () => connections.node(gone.address),
      (now) => now !== node,
      2000,
    );
  });
});
