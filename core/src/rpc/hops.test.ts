// A call that goes on over three hops: a service calls a service through a proxy. Deadlines and cancellation reach the last one (PX-06).
import { equal, ok } from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { callText, status } from "../../../testing/src/calls.ts";
import { LoopClock } from "../../../testing/src/loop-clock.ts";
import { RawHttp2 } from "../../../testing/src/raw-http2.ts";
import { frame, grpcRequest, RawFlag, RawType, uint32 } from "../../../testing/src/raw-http2-frames.ts";
import { until } from "../../../testing/src/until.ts";
import { GrpcStatus } from "../errors.ts";
import {
  type CallHandler,
  Connections,
  forward,
  type Listener,
  listen,
  type ServerCall,
  StatusError,
} from "./index.ts";

/** What one hop has seen of a call. */
interface Seen {
  readonly hop: string;
  readonly leftMs: number | undefined;
  reason?: Error;
  abortedMs?: number;
  /** With what its handler ended, having heard from the next hop. */
  failure?: unknown;
}

/** client → first → proxy → second → last, which answers only the path `/test.Test/Echo`. */
class Chain implements AsyncDisposable {
  readonly seen: Seen[] = [];
  readonly connections = new Connections();
  readonly clock = new LoopClock();
  readonly listeners: Listener[] = [];

  async open(): Promise<void> {
    const last = await this.#listen("last", async (call) => {
      const message = await call.read();
      if (call.path !== "/test.Test/Echo")
        await new Promise((resolve) => call.signal.addEventListener("abort", resolve));
      await call.send(message ?? Buffer.alloc(0));
    });
    const second = await this.#listen("second", (call) => this.#passOn(call, last.address));
    const proxy = await listen((call) => forward(call, this.connections, second.address, {}), {
      address: "127.0.0.1:0",
    });
    this.listeners.push(proxy);
    await this.#listen("first", (call) => this.#passOn(call, proxy.address));
  }

  get address(): string {
    return this.listeners.at(-1)?.address ?? "";
  }

  async #listen(hop: string, handler: CallHandler): Promise<Listener> {
    const listener = await listen(
      async (call) => {
        const seen: Seen = { hop, leftMs: call.deadline && call.deadline.getTime() - Date.now() };
        this.seen.push(seen);
        call.signal.addEventListener("abort", () => {
          seen.reason = call.signal.reason;
          seen.abortedMs = this.clock.ms;
        });
        try {
          await handler(call);
        } catch (error) {
          seen.failure = error;
          throw error;
        }
      },
      { address: "127.0.0.1:0" },
    );
    this.listeners.push(listener);
    return listener;
  }

  /** As a service calls another one: with its caller's deadline and signal. */
  async #passOn(call: ServerCall, address: string): Promise<void> {
    const { path, contentType, deadline, signal } = call;
    const next = this.connections.open(address, { path, contentType, metadata: {}, deadline }, signal);
    try {
      await next.send((await call.read()) ?? Buffer.alloc(0));
      if (path !== "/test.Test/Open") next.end();
      for (let message = await next.read(); message !== undefined; message = await next.read())
        await call.send(message);
      const end = await next.status;
      if (end.code !== GrpcStatus.ok) throw new StatusError(end);
    } finally {
      next.cancel();
    }
  }

  /** Resolves when nothing of the call is left anywhere, and all hops but the proxy have been told: by its signal, or `by` the next hop too. */
  async over(by: "signal" | "next hop" = "signal"): Promise<void> {
    await until(
      async () => this.listeners.map(({ load }) => load.calls),
      (calls) => calls.every((count) => count === 0),
    );
    for (const { hop, reason, failure } of this.seen)
      ok((by === "signal" ? reason : (reason ?? failure)) instanceof Error, `${hop} wasn't told`);
    equal(this.seen.length, 3);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.clock[Symbol.dispose]();
    for (const listener of this.listeners.toReversed()) await listener.close(0);
    await this.connections[Symbol.asyncDispose]();
  }
}

describe("a call over three hops (PX-06)", () => {
  let chain: Chain;
  before(async () => {
    chain = new Chain();
    await chain.open();
    await callText(chain.connections, chain.address);
  });
  beforeEach(() => void chain.seen.splice(0));
  after(() => chain[Symbol.asyncDispose]());

  async function reached(): Promise<void> {
    await until(
      async () => chain.seen,
      (seen) => seen.length === 3,
    );
  }

  it("has less time left at each hop, never more", async () => {
    equal(await callText(chain.connections, chain.address, { timeoutMs: 5000 }), "hello");
    const left = chain.seen.map(({ leftMs }) => leftMs ?? Number.POSITIVE_INFINITY);
    equal(left.length, 3);
    // Deadlines travel in whole milliseconds, rounded up.
    ok(
      left.every((ms, n) => ms > 0 && ms <= (left[n - 1] ?? 5000) + 1),
      `${left}`,
    );
  });

  for (const path of ["/test.Test/Wait", "/test.Test/Open"]) {
    const what = path.endsWith("Open") ? "open at both ends" : "half-closed";

    it(`ends at its deadline everywhere, ${what}`, async () => {
      const sinceMs = performance.now();
      const passed = status(GrpcStatus.deadlineExceeded);
      ok(await callText(chain.connections, chain.address, { path, timeoutMs: 1000 }).then(() => false, passed));
      const ms = performance.now() - sinceMs;
      ok(ms >= 999, `${ms} ms`);
      // The deadline is the same at each hop: the next one's answer may be there before a hop's own timer has had its turn.
      await chain.over("next hop");
    });

    it(`is cancelled everywhere, ${what}`, async () => {
      const aborter = new AbortController();
      const call = callText(chain.connections, chain.address, { path, signal: aborter.signal });
      await reached();
      const sinceMs = chain.clock.ms;
      aborter.abort();
      ok(await call.then(() => false, status(GrpcStatus.cancelled)));
      await chain.over();
      const late = chain.seen.filter(({ abortedMs = Number.POSITIVE_INFINITY }) => abortedMs - sinceMs > 1000);
      equal(late.length, 0, `${JSON.stringify(late)}`);
    });

    it(`is cancelled everywhere when its client vanishes, ${what}`, async () => {
      using peer = await RawHttp2.connect(chain.address);
      const body = frame(RawType.data, path.endsWith("Open") ? 0 : RawFlag.endStream, 1, Buffer.alloc(5));
      peer.send(grpcRequest(1, path, ["grpc-timeout", "1H"], false), body);
      await reached();
      peer.socket.resetAndDestroy();
      await chain.over();
    });
  }

  it("fails at the caller, and ends everywhere, when a hop in the middle is reset", async () => {
    const call = callText(chain.connections, chain.address, { path: "/test.Test/Wait" });
    call.catch(() => {});
    await reached();
    // The proxy's connection to the second service.
    const node = chain.connections.node(chain.listeners[1]?.address ?? "");
    node.close();
    ok(await call.then(() => false, status(GrpcStatus.unavailable)));
    await until(
      async () => chain.listeners.map(({ load }) => load.calls),
      (calls) => calls.every((count) => count === 0),
    );
  });
});

describe("many streams of one connection (PX-09)", () => {
  it("share what the connection's window allows: none gets twice what another one gets", async () => {
    const count = 500;
    const message = Buffer.alloc(95);
    await using server = await listen(
      async (call) => {
        for (;;) {
          await call.send(message);
          // Others have their turn before a stream has the next message ready.
          await new Promise((resolve) => setImmediate(resolve));
        }
      },
      { address: "127.0.0.1:0" },
    );
    using peer = await RawHttp2.connect(server.address, { settings: [4, 2 ** 30] });
    for (let n = 0; n < count; n++) peer.send(grpcRequest(2 * n + 1, "/test.Test/Endless"));
    const received = new Map<number, number>();
    // 64 KiB at the start, and the same again each time that it is used up.
    let granted = 65_535;
    let sum = 0;
    while (sum < 5_000_000) {
      const { streamId, payload } = await peer.next("DATA", ({ type }) => type === RawType.data);
      received.set(streamId, (received.get(streamId) ?? 0) + payload.length);
      sum += payload.length;
      if (sum < granted) continue;
      peer.send(frame(RawType.windowUpdate, 0, 0, uint32(65_535)));
      granted += 65_535;
    }
    const shares = [...received.values()];
    equal(shares.length, count);
    const [least, most] = [Math.min(...shares), Math.max(...shares)];
    ok(most <= 2 * least, `one stream got ${least} bytes, another ${most}`);
  });
});
