// What a server asks of silent peers, and how often peers may ask it. All cases wait at the same time.
import { equal, match, ok } from "node:assert/strict";
import { describe, it } from "node:test";
import { RawHttp2 } from "../../../../testing/src/raw-http2.ts";
import { frame, grpcRequest, RawFlag, type RawFrame, RawType } from "../../../../testing/src/raw-http2-frames.ts";
import { lineLog } from "../../log.ts";
import { type ListenOptions, listen } from "../listen.ts";
import type { CallHandler, Listener } from "../transport.ts";
import { defaultLimits } from "./limits.ts";

const enhanceYourCalm = 11;
const isPing = ({ type, flags }: RawFrame) => type === RawType.ping && !(flags & RawFlag.ack);
const hang: CallHandler = async ({ signal }) => {
  await new Promise((resolve) => signal.addEventListener("abort", resolve));
};

async function serve(handler: CallHandler, options: Partial<ListenOptions> = {}): Promise<Listener> {
  return await listen(handler, { address: "127.0.0.1:0", ...options });
}

describe("keepalive of a server (PX-04)", { concurrency: true }, () => {
  it("asks a silent peer, and ends the connection when it doesn't answer", async () => {
    await using server = await serve(hang, { keepalive: { afterMs: 500, timeoutMs: 1000 } });
    using peer = await RawHttp2.connect(server.address, { answers: "settings" });
    const sinceMs = performance.now();
    await peer.next("PING", isPing);
    const { code, message } = await peer.goaway();
    equal(code, 0);
    equal(message, "no answer to a PING (keepalive.timeoutMs = 1000)");
    await peer.ended();
    // Both waits, each seen within a second, and what a busy machine adds.
    const ms = performance.now() - sinceMs;
    ok(ms < 10_000, `${ms} ms`);
  });

  it("leaves a peer alone that answers", async () => {
    await using server = await serve(hang, { keepalive: { afterMs: 500, timeoutMs: 1000 } });
    using peer = await RawHttp2.connect(server.address);
    for (let n = 0; n < 3; n++) await peer.next("PING", isPing);
    ok(!peer.isEnded);
  });

  const ping = frame(RawType.ping, 0, 0, Buffer.alloc(8));
  const isAnswer = ({ type, flags }: RawFrame) => type === RawType.ping && (flags & RawFlag.ack) !== 0;

  it("forgives a peer two PINGs that come too early, and ends the connection with too_many_pings at the next", async () => {
    await using server = await serve(hang);
    using peer = await RawHttp2.connect(server.address);
    for (let n = 0; n < 3; n++) {
      peer.send(ping);
      await peer.next("answer", isAnswer);
    }
    peer.send(ping);
    const { code, message } = await peer.goaway();
    equal(code, enhanceYourCalm);
    equal(message, "too_many_pings");
    await peer.ended();
  });

  it("says in its log which interval the peer was held to", async () => {
    const lines: string[] = [];
    await using server = await serve(hang, {
      log: lineLog((line) => lines.push(line)),
      keepalive: { minIntervalMs: 5000 },
    });
    using peer = await RawHttp2.connect(server.address);
    peer.send(ping, ping, ping, ping);
    await peer.ended();
    match(lines.join(""), /ended a gRPC connection .*too many PINGs \(keepalive\.minIntervalMs = 5000\)/);
  });

  it("lets a peer ask as often as messages are sent to it", async () => {
    await using server = await serve(async (call) => {
      for (let message = await call.read(); message !== undefined; message = await call.read())
        await call.send(message);
    });
    using peer = await RawHttp2.connect(server.address);
    peer.send(grpcRequest(1, "/a.B/Echo", [], false));
    for (let n = 0; n < 2 * defaultLimits.controlBurst; n++) {
      peer.send(frame(RawType.data, 0, 1, Buffer.alloc(5)));
      await peer.next("DATA", ({ type }) => type === RawType.data);
      peer.send(ping);
      await peer.next("answer", isAnswer);
    }
  });

  it("takes PINGs at the interval it was told", async () => {
    await using server = await serve(hang, { keepalive: { minIntervalMs: 20 } });
    using peer = await RawHttp2.connect(server.address);
    for (let n = 0; n < 6; n++) {
      peer.send(ping);
      await peer.next("answer", isAnswer);
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
  });
});
