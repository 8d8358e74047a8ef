// What the sweep must not take for a peer's fault. These tests block their process on purpose.
import { equal, ok } from "node:assert/strict";
import { describe, it } from "node:test";
import { RawHttp2 } from "../../../../testing/src/raw-http2.ts";
import { frame, grpcRequest, RawFlag, type RawFrame, RawType } from "../../../../testing/src/raw-http2-frames.ts";
import { listen } from "../listen.ts";

function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

const isPing = ({ type, flags }: RawFrame) => type === RawType.ping && !(flags & RawFlag.ack);
const isPong = ({ type, flags }: RawFrame) => type === RawType.ping && (flags & RawFlag.ack) !== 0;

describe("the sweep of connections", () => {
  it("doesn't hold a pause of this process against a peer whose answer waits to be read", async () => {
    const keepalive = { afterMs: 500, timeoutMs: 1000 };
    await using server = await listen(() => {}, { address: "127.0.0.1:0", keepalive });
    using peer = await RawHttp2.connect(server.address, { answers: "settings" });
    const { payload } = await peer.next("PING", isPing);
    peer.send(frame(RawType.ping, RawFlag.ack, 0, payload));
    block(4500);
    peer.send(grpcRequest(1, "/a.B/C"));
    equal((await peer.headers(1))[":status"], "200");
    ok(!peer.isEnded);
  });

  it("doesn't take a connection for stalled that was idle and has just been written to", async () => {
    await using server = await listen(
      async (call) => {
        await new Promise((resolve) => setTimeout(resolve, 300));
        const sent = new Promise<void>((resolve) => setTimeout(() => resolve(call.send(Buffer.alloc(10))), 10));
        // Both timers are due then: the message is written, and the sweep comes before it has gone out.
        block(1100);
        await sent;
      },
      { address: "127.0.0.1:0", limits: { stallMs: 100 } },
    );
    using peer = await RawHttp2.connect(server.address);
    peer.send(grpcRequest(1, "/a.B/C"));
    await peer.headers(1);
    equal((await peer.headers(1))["grpc-status"], "0");
    peer.send(frame(RawType.ping, 0, 0, Buffer.alloc(8)));
    await peer.next("answer", isPong);
  });
});
