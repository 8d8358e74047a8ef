// How a server's connection ends in order: RFC 9113 §6.8, as a client sees its frames.
import { equal, ok } from "node:assert/strict";
import { describe, it } from "node:test";
import { RawHttp2 } from "../../../../testing/src/raw-http2.ts";
import { frame, grpcRequest, RawType } from "../../../../testing/src/raw-http2-frames.ts";
import { until } from "../../../../testing/src/until.ts";
import { listen } from "../listen.ts";

const graceMs = 30_000;

/** A server whose calls end when it is told. */
async function serve() {
  const end = Promise.withResolvers<void>();
  let count = 0;
  const server = await listen(
    async () => {
      count++;
      await end.promise;
    },
    { address: "127.0.0.1:0" },
  );
  const running = (wanted: number) =>
    until(
      async () => count,
      (now) => now === wanted,
    );
  return { server, end: () => end.resolve(), running };
}

describe("a server that shuts down", () => {
  it("warns, takes what was on its way, names the last call it took, and ends when that is over", async () => {
    const { server, end, running } = await serve();
    using peer = await RawHttp2.connect(server.address, { answers: "settings" });
    peer.send(grpcRequest(1, "/a.B/C"));
    await running(1);
    const closed = server.close(graceMs);
    equal((await peer.goaway()).lastStreamId, 2 ** 31 - 1);
    // A call that the client began before it read the warning.
    peer.send(grpcRequest(3, "/a.B/C"));
    await running(2);
    const { payload } = await peer.next("PING", ({ type }) => type === RawType.ping);
    peer.send(frame(RawType.ping, 1, 0, payload));
    equal((await peer.goaway()).lastStreamId, 3);
    peer.send(grpcRequest(5, "/a.B/C"));
    end();
    for (const id of [1, 3]) equal((await peer.headers(id))[":status"], "200");
    await peer.ended();
    await closed;
    equal(peer.frames.filter(({ streamId }) => streamId === 5).length, 0);
  });

  it("doesn't wait for a client that says nothing to the warning", async () => {
    const { server, end, running } = await serve();
    using peer = await RawHttp2.connect(server.address, { answers: "settings" });
    peer.send(grpcRequest(1, "/a.B/C"));
    await running(1);
    const closed = server.close(graceMs);
    end();
    await peer.ended();
    await closed;
  });

  it("ends connections that carry no call, also those whose client has said GOAWAY and stays", async () => {
    const { server } = await serve();
    using idle = await RawHttp2.connect(server.address);
    using leaving = await RawHttp2.connect(server.address);
    leaving.send(frame(RawType.goaway, 0, 0, Buffer.alloc(8)), frame(RawType.ping, 0, 0, Buffer.alloc(8)));
    for (const peer of [idle, leaving]) await peer.next("SETTINGS", ({ type }) => type === RawType.settings);
    await leaving.next("PING", ({ type }) => type === RawType.ping);
    const sinceMs = performance.now();
    await server.close(graceMs);
    ok(performance.now() - sinceMs < graceMs / 2);
  });

  it("cuts what is left after the grace", async () => {
    const { server, end, running } = await serve();
    using peer = await RawHttp2.connect(server.address);
    peer.send(grpcRequest(1, "/a.B/C"));
    await running(1);
    await server.close(100);
    await peer.ended();
    end();
    await until(
      async () => server.load.calls,
      (calls) => calls === 0,
    );
  });
});

describe("maxConnections", () => {
  it("closes what comes above it, and takes others once there is room", async () => {
    await using server = await listen(() => {}, { address: "127.0.0.1:0", maxConnections: 2 });
    using first = await RawHttp2.connect(server.address);
    using second = await RawHttp2.connect(server.address);
    for (const peer of [first, second]) await peer.next("SETTINGS", ({ type }) => type === RawType.settings);
    using third = await RawHttp2.connect(server.address);
    await third.ended();
    first[Symbol.dispose]();
    await until(
      async () => server.load.connections,
      (count) => count === 1,
    );
    using fourth = await RawHttp2.connect(server.address);
    fourth.send(grpcRequest(1, "/a.B/C"));
    equal((await fourth.headers(1))[":status"], "200");
  });
});
