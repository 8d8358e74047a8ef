// A client whose server stops answering, or has enough of being asked. All cases wait at the same time.
import { equal, ok } from "node:assert/strict";
import { describe, it } from "node:test";
import { callText, status } from "../../../testing/src/calls.ts";
import { LoopClock } from "../../../testing/src/loop-clock.ts";
import { listenRaw, type RawHttp2 } from "../../../testing/src/raw-http2.ts";
import { frame, RawType, uint32 } from "../../../testing/src/raw-http2-frames.ts";
import { GrpcStatus } from "../errors.ts";
import { Connections } from "./connections.ts";

const calm = 11;

/** A server that never answers a call, and what each of its connections saw. */
async function silent(
  onConnection: (peer: RawHttp2, n: number) => void = () => {},
  answers: "all" | "settings" = "all",
) {
  let count = 0;
  return await listenRaw((peer) => onConnection(peer, count++), { answers });
}

const isPing = ({ type }: { type: number }) => type === RawType.ping;

describe("keepalive of a client (PX-04)", { concurrency: true }, () => {
  it("ends the calls of a connection whose server is gone though it never said so", async () => {
    await using server = await silent(undefined, "settings");
    await using connections = new Connections({ keepalive: { afterMs: 500, timeoutMs: 1000 } });
    const sinceMs = performance.now();
    const call = callText(connections, server.address);
    const unavailable = status(GrpcStatus.unavailable, /no answer to a PING \(keepalive\.timeoutMs = 1000\)/);
    ok(await call.then(() => false, unavailable));
    const ms = performance.now() - sinceMs;
    ok(ms < 10_000, `${ms} ms`);
  });

  it("waits with a server that answers", async () => {
    const asked = Promise.withResolvers<void>();
    await using server = await silent(async (peer) => {
      for (let n = 0; n < 3; n++) await peer.next("PING", isPing);
      asked.resolve();
    });
    await using connections = new Connections({ keepalive: { afterMs: 500, timeoutMs: 1000 } });
    const aborter = new AbortController();
    const call = callText(connections, server.address, { signal: aborter.signal });
    await asked.promise;
    aborter.abort();
    ok(await call.then(() => false, status(GrpcStatus.cancelled)));
  });

  it("asks half as often on later connections once a server has answered too_many_pings (gRPC A8)", async () => {
    const waits: number[] = [];
    let firstLoopMs = 0;
    using clock = new LoopClock();
    const third = Promise.withResolvers<void>();
    await using server = await silent(async (peer, n) => {
      const [sinceMs, sinceLoopMs] = [performance.now(), clock.ms];
      await peer.next("PING", isPing);
      waits[n] = performance.now() - sinceMs;
      if (n === 0) firstLoopMs = clock.ms - sinceLoopMs;
      if (n === 2) third.resolve();
      const enough = Buffer.concat([uint32(2 ** 31 - 1), uint32(calm), Buffer.from("too_many_pings")]);
      peer.send(frame(RawType.goaway, 0, 0, enough));
      peer.socket.end();
    });
    await using connections = new Connections({ keepalive: { afterMs: 1000, timeoutMs: 20_000 } });
    const calls = (async () => {
      for (let n = 0; n < 2; n++) ok(await callText(connections, server.address).then(() => false, status(14)));
      await callText(connections, server.address).catch(() => {});
    })();
    await third.promise;
    equal(waits.length, 3);
    const [, second = 0, last = 0] = waits;
    // The sweep sees to it within a second.
    ok(firstLoopMs < 2500 && second >= 1990 && last >= 3990, `${waits}`);
    await connections[Symbol.asyncDispose]();
    await calls;
  });
});
