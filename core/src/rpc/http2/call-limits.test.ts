// How much of this side's work and memory the calls of one connection may have at once.
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { RawHttp2 } from "../../../../testing/src/raw-http2.ts";
import { frame, grpcRequest, RawFlag, RawType, uint32 } from "../../../../testing/src/raw-http2-frames.ts";
import { until } from "../../../../testing/src/until.ts";
import { listen } from "../listen.ts";
import type { CallHandler, Listener } from "../transport.ts";
import { defaultLimits, type Limits } from "./limits.ts";

const refusedStream = 7;

async function serve(handler: CallHandler, limits: Partial<Limits> = {}): Promise<Listener> {
  return await listen(handler, { address: "127.0.0.1:0", limits, keepalive: { minIntervalMs: 0 } });
}

/** Handlers that don't look at their signal, and how many are running. */
class Deaf {
  running = 0;
  most = 0;
  readonly paths: string[] = [];
  readonly #ends: (() => void)[] = [];

  readonly handle: CallHandler = async ({ path }) => {
    this.paths.push(path);
    this.most = Math.max(this.most, ++this.running);
    await new Promise<void>((resolve) => this.#ends.push(resolve));
    this.running--;
  };

  endAll(): void {
    for (const end of this.#ends.splice(0)) end();
  }
}

describe("maxConcurrentStreams", () => {
  for (const limits of [{}, { maxConcurrentStreams: 5 }]) {
    const { maxConcurrentStreams: most } = { ...defaultLimits, ...limits };

    it(`lets a client have ${most} calls at once, refuses more with REFUSED_STREAM, and goes on`, async () => {
      const deaf = new Deaf();
      await using server = await serve(deaf.handle, limits);
      using peer = await RawHttp2.connect(server.address);
      for (let n = 0; n < most; n++) peer.send(grpcRequest(2 * n + 1, "/a.B/C"));
      const next = 2 * most + 1;
      peer.send(grpcRequest(next, "/a.B/C"));
      equal(await peer.rstStream(next), refusedStream);
      equal(deaf.running, most);
      deaf.endAll();
      peer.send(grpcRequest(next + 2, "/a.B/C"));
      await until(
        async () => deaf.running,
        (running) => running === 1,
      );
      deaf.endAll();
      equal((await peer.headers(next + 2))[":status"], "200");
    });
  }

  it("is announced", async () => {
    await using server = await serve(() => {}, { maxConcurrentStreams: 77 });
    using peer = await RawHttp2.connect(server.address);
    const { payload } = await peer.next("SETTINGS", ({ type }) => type === RawType.settings);
    deepEqual([...payload.subarray(0, 6)], [0, 3, 0, 0, 0, 77]);
  });

  for (const [what, cancel] of [
    ["resets (CVE-2023-44487)", (id: number) => frame(RawType.rstStream, 0, id, uint32(8))],
    ["makes the server reset (CVE-2025-8671)", (id: number) => frame(RawType.windowUpdate, 0, id, uint32(0))],
  ] as const)
    it(`counts the handlers of calls that the client ${what} until they return`, async () => {
      const deaf = new Deaf();
      await using server = await serve(deaf.handle, { maxConcurrentStreams: 20 });
      using peer = await RawHttp2.connect(server.address);
      for (let n = 0; n < 60; n++) {
        peer.send(grpcRequest(2 * n + 1, "/a.B/C", [], false));
        // The handler runs by then: only the first reset of each call counts.
        if (n < 20)
          await until(
            async () => deaf.paths.length,
            (count) => count === n + 1,
          );
        peer.send(cancel(2 * n + 1));
      }
      peer.send(grpcRequest(201, "/a.B/C"));
      equal(await peer.rstStream(201), refusedStream);
      equal(deaf.most, 20);
      deaf.endAll();
      await until(
        async () => deaf.running,
        (running) => running === 0,
      );
      peer.send(grpcRequest(203, "/a.B/C"));
      await until(
        async () => deaf.running,
        (running) => running === 1,
      );
      deaf.endAll();
      equal((await peer.headers(203))[":status"], "200");
    });

  it("lets no more handlers run when the calls come and are reset in one piece, and begins none that is over", async () => {
    const deaf = new Deaf();
    await using server = await serve(deaf.handle, { maxConcurrentStreams: 20 });
    using peer = await RawHttp2.connect(server.address);
    const pairs = Array.from({ length: 200 }, (_, n) => [
      grpcRequest(2 * n + 1, "/a.B/Gone", [], false),
      frame(RawType.rstStream, 0, 2 * n + 1, uint32(8)),
    ]).flat();
    peer.send(...pairs, frame(RawType.ping, 0, 0, Buffer.alloc(8)));
    await peer.next("PING", ({ type }) => type === RawType.ping);
    peer.send(grpcRequest(1001, "/a.B/Last"));
    await until(
      async () => deaf.paths,
      (paths) => paths.includes("/a.B/Last"),
    );
    ok(deaf.most <= 20, `${deaf.most} handlers at once`);
    deaf.endAll();
  });
});

describe("the windows", () => {
  for (const limits of [{}, { streamWindowBytes: 100_000 }]) {
    const { streamWindowBytes } = { ...defaultLimits, ...limits };

    it(`of a stream hold ${streamWindowBytes} bytes: more ends the call, not the connection`, async () => {
      const deaf = new Deaf();
      await using server = await serve(deaf.handle, limits);
      using peer = await RawHttp2.connect(server.address);
      peer.send(grpcRequest(1, "/a.B/C", [], false));
      const flowControlError = 3;
      const whole = Buffer.concat([Buffer.of(0), uint32(1000), Buffer.alloc(1000)]);
      const data = frame(RawType.data, 0, 1, Buffer.concat(Array(10).fill(whole)));
      const count = Math.floor(streamWindowBytes / 10_050);
      peer.send(...Array(count).fill(data));
      peer.send(grpcRequest(3, "/a.B/C", [], false));
      peer.send(data);
      equal(await peer.rstStream(1), flowControlError);
      equal(peer.frames.filter(({ type, streamId }) => type === RawType.rstStream && streamId === 1).length, 1);
      deaf.endAll();
      equal((await peer.headers(3))[":status"], "200");
    });
  }

  for (const limits of [{}, { connectionWindowBytes: 200_000, streamWindowBytes: 150_000 }]) {
    const { connectionWindowBytes, streamWindowBytes } = { ...defaultLimits, ...limits };

    it(`of all streams hold ${connectionWindowBytes} bytes that nobody reads, and more ends the connection`, async () => {
      const deaf = new Deaf();
      await using server = await serve(deaf.handle, limits);
      using peer = await RawHttp2.connect(server.address);
      const data = (id: number) => frame(RawType.data, 0, id, Buffer.alloc(10_000));
      const perStream = Math.floor(streamWindowBytes / 10_000);
      let sent = 0;
      let granted = 65_535;
      for (let id = 1; !peer.isEnded && sent < 4 * connectionWindowBytes; id += 2) {
        peer.send(grpcRequest(id, "/a.B/C", [], false));
        for (let n = 0; n < perStream && !peer.isEnded; n++, sent += 10_000)
          if (!(await peer.sendSlowly(data(id)))) break;
      }
      const { code } = await peer.goaway();
      equal(code, 3);
      for (const { type, streamId, payload } of peer.frames)
        if (type === RawType.windowUpdate && streamId === 0) granted += payload.readUInt32BE(0);
      ok(granted <= 2 * connectionWindowBytes, `${granted} bytes were granted`);
      deaf.endAll();
    });
  }
});

describe("padding", () => {
  it("is given back to the windows at once: messages go on behind more of it than they hold", async () => {
    let count = 0;
    await using server = await serve(
      async (call) => {
        while ((await call.read()) !== undefined) count++;
      },
      { streamWindowBytes: 70_000, connectionWindowBytes: 70_000 },
    );
    using peer = await RawHttp2.connect(server.address);
    peer.send(grpcRequest(1, "/a.B/C", [], false));
    const padded = Buffer.concat([Buffer.of(255), Buffer.alloc(5), Buffer.alloc(255)]);
    for (let n = 0; n < 1000; n++) {
      await peer.sendSlowly(frame(RawType.data, RawFlag.padded, 1, padded));
      if (n % 100 === 0) {
        // Until what came so far is granted again.
        peer.send(frame(RawType.ping, 0, 0, Buffer.alloc(8)));
        await peer.next("PING", ({ type }) => type === RawType.ping);
      }
    }
    peer.send(frame(RawType.data, RawFlag.endStream, 1));
    await peer.headers(1);
    equal((await peer.headers(1))["grpc-status"], "0");
    equal(count, 1000);
  });
});

describe("maxAssemblyBytes", () => {
  it(`is ${defaultLimits.maxAssemblyBytes} unless told otherwise`, () => {
    equal(defaultLimits.maxAssemblyBytes, 256 * 1024 * 1024);
  });

  it("ends the call whose unfinished message takes the connection over it, and no other", async () => {
    await using server = await serve(async (call) => void (await call.read()), { maxAssemblyBytes: 100_000 });
    using peer = await RawHttp2.connect(server.address);
    // Messages that claim a megabyte and of which 45,000 bytes come.
    const begun = Buffer.concat([Buffer.of(0), uint32(1_000_000), Buffer.alloc(10_000)]);
    const more = Buffer.alloc(10_000);
    for (const id of [1, 3, 5]) {
      peer.send(grpcRequest(id, "/a.B/C", [], false));
      for (const part of [begun, more, more, more]) peer.send(frame(RawType.data, 0, id, part));
    }
    const ended = await peer.headers(5);
    equal(ended["grpc-status"], "8");
    match(ended["grpc-message"] ?? "", /limits\.maxAssemblyBytes = 100000/);
    // The others go on, and there is room again.
    peer.send(grpcRequest(7, "/a.B/C", [], false), frame(RawType.data, RawFlag.endStream, 7, Buffer.alloc(5)));
    equal((await peer.headers(7))[":status"], "200");
    equal((await peer.headers(7))["grpc-status"], "0");
  });
});

describe("compressed messages", () => {
  it("that nobody reads stay compressed: a window full of bombs costs the window", async () => {
    const bomb = gzipSync(Buffer.alloc(8 * 1024 * 1024));
    const message = Buffer.concat([Buffer.of(1), uint32(bomb.length), bomb]);
    const deaf = new Deaf();
    await using server = await serve(async (call) => {
      await call.read();
      await deaf.handle(call);
    });
    using peer = await RawHttp2.connect(server.address);
    const before = process.memoryUsage().rss;
    peer.send(grpcRequest(1, "/a.B/C", ["grpc-encoding", "gzip"], false));
    const count = Math.floor(900_000 / message.length);
    ok(count > 50);
    for (let n = 0; n < count; n++) peer.send(frame(RawType.data, 0, 1, message));
    await until(
      async () => deaf.running,
      (running) => running === 1,
    );
    peer.send(frame(RawType.ping, 0, 0, Buffer.alloc(8)));
    await peer.next("PING", ({ type }) => type === RawType.ping);
    const growth = process.memoryUsage().rss - before;
    ok(growth < 100 * 1024 * 1024, `${growth} bytes more for ${count} unread messages of 8 MiB`);
    deaf.endAll();
  });
});
