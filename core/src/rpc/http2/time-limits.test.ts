// How long one connection may keep this side waiting. All cases wait at the same time.
import { equal, match, ok } from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { RawHttp2 } from "../../../../testing/src/raw-http2.ts";
import {
  frame,
  grpcFields,
  grpcRequest,
  literalBlock,
  RawFlag,
  RawType,
  rawPreface,
  uint32,
} from "../../../../testing/src/raw-http2-frames.ts";
import { until } from "../../../../testing/src/until.ts";
import { lineLog } from "../../log.ts";
import { type ListenOptions, listen } from "../listen.ts";
import type { Method } from "../method.ts";
import { serveMethod } from "../serve.ts";
import type { CallHandler, Listener } from "../transport.ts";
import { defaultLimits, type Limits } from "./limits.ts";

const enhanceYourCalm = 11;
const settingsTimeout = 4;
const cancelled = 8;

async function serve(
  handler: CallHandler,
  limits: Partial<Limits>,
  options: Partial<ListenOptions> = {},
): Promise<Listener> {
  return await listen(handler, { address: "127.0.0.1:0", limits, ...options });
}

/** Resolves with the milliseconds that the peer's connection lasted from now. */
async function lasted(peer: RawHttp2): Promise<number> {
  const sinceMs = performance.now();
  await peer.ended();
  return performance.now() - sinceMs;
}

const hang: CallHandler = async ({ signal }) => {
  await new Promise((resolve) => signal.addEventListener("abort", resolve));
};

/** A beginning without an end, and what the peer is told; undefined when it hasn't said yet what it speaks. */
interface Beginning {
  readonly bytes: Buffer;
  readonly code?: number | undefined;
  readonly told?: RegExp;
}

const hello = Buffer.concat([rawPreface, frame(RawType.settings, 0, 0)]);
const beginnings: Readonly<Record<string, Beginning>> = {
  "no preface": { bytes: Buffer.alloc(0), code: undefined },
  "half a preface": { bytes: rawPreface.subarray(0, 12) },
  "a preface without SETTINGS": { bytes: rawPreface },
  "SETTINGS of the server that stay unacknowledged": { bytes: hello },
  "a header block without an end": {
    bytes: Buffer.concat([
      hello,
      frame(RawType.settings, RawFlag.ack, 0),
      frame(RawType.headers, 0, 1, literalBlock(grpcFields("/a.B/C"))),
    ]),
    code: enhanceYourCalm,
    told: /^a header block wasn't finished in time \(limits\.handshakeMs = 1000\)$/,
  },
};
const tooSlow = /^no preface and settings in time \(limits\.handshakeMs = 1000\)$/;

describe("a slow beginning", { concurrency: true }, () => {
  for (const [name, { bytes, told = tooSlow, ...more }] of Object.entries(beginnings))
    it(`with ${name} ends the connection after limits.handshakeMs`, async () => {
      const { code } = { code: settingsTimeout, ...more };
      await using server = await serve(hang, { handshakeMs: 1000 });
      using peer = await RawHttp2.connectSilently(server.address, { answers: "nothing" });
      peer.send(bytes);
      const ms = await lasted(peer);
      ok(ms > 900, `${ms} ms`);
      const goaway = peer.frames.find(({ type }) => type === RawType.goaway)?.payload;
      equal(goaway?.readUInt32BE(4), code);
      if (goaway !== undefined) match(goaway.toString("utf8", 8), told);
    });

  it("with a TLS handshake that isn't finished ends the connection after limits.handshakeMs", async () => {
    await using server = await serve(hang, { handshakeMs: 1000 }, { tls: {} });
    using peer = await RawHttp2.connectSilently(server.address);
    const ms = await lasted(peer);
    ok(ms > 900 && ms < 10_000, `${ms} ms`);
  });

  it("may take 10 s by default", () => equal(defaultLimits.handshakeMs, 10_000));
});

describe("a slow peer", { concurrency: true }, () => {
  it("that leaves a frame unfinished is cut off after limits.stallMs", async () => {
    await using server = await serve(hang, { stallMs: 1000 });
    using peer = await RawHttp2.connect(server.address);
    peer.send(grpcRequest(1, "/a.B/C", [], false));
    peer.send(frame(RawType.data, 0, 1, Buffer.alloc(1000)).subarray(0, 500));
    const { code, message } = await peer.goaway();
    equal(code, enhanceYourCalm);
    equal(message, "a frame wasn't finished in time (limits.stallMs = 1000)");
    await peer.ended();
  });

  it("that stops reading holds up its handler, not the memory, and is cut off after limits.stallMs", async () => {
    let sent = 0;
    const aborted = Promise.withResolvers<void>();
    const message = Buffer.alloc(10_000);
    const endless: CallHandler = async (call) => {
      call.signal.addEventListener("abort", () => aborted.resolve());
      for (; ; sent++) await call.send(message);
    };
    const lines: string[] = [];
    const log = lineLog((line) => lines.push(line));
    await using server = await serve(endless, { stallMs: 1000 }, { log });
    using peer = await RawHttp2.connect(server.address, { settings: [4, 2 ** 31 - 1] });
    peer.send(frame(RawType.windowUpdate, 0, 0, uint32(2 ** 30)), grpcRequest(1, "/a.B/C"));
    await peer.headers(1);
    peer.socket.pause();
    let before = -1;
    await until(
      async () => [before, sent],
      ([last, now]) => {
        before = sent;
        return last === now;
      },
    );
    // What the system buffers is its own affair: a few megabytes on some.
    ok(sent * message.length < 32_000_000, `${sent} messages of 10 kB were taken`);
    await aborted.promise;
    match(lines.join(""), /ended a gRPC connection .*doesn't read .*limits\.stallMs = 1000/);
  });

  it("that doesn't read what it asks for is cut off at limits.maxPendingBytes", async () => {
    await using server = await serve(
      () => {
        throw new Error("x".repeat(1000));
      },
      { maxPendingBytes: 500_000 },
    );
    using peer = await RawHttp2.connect(server.address);
    await peer.next("SETTINGS", ({ type }) => type === RawType.settings);
    peer.socket.pause();
    let calls = 0;
    const requests = () => {
      const from = calls;
      calls += 100;
      return Buffer.concat(Array.from({ length: 100 }, (_, n) => grpcRequest(2 * (from + n) + 1, "/a.B/C")));
    };
    while (await peer.sendSlowly(requests())) ok(calls < 100_000, "nobody stops it");
  });

  const much: Method = {
    name: "B.Much",
    kind: "unary",
    decode: (bytes) => bytes,
    encode: () => randomBytes(100_000),
    handle: () => undefined,
  };
  for (const [what, settings] of [
    ["its streams'", [4, 0]],
    ["the connection's", [4, 2 ** 31 - 1]],
  ] as const)
    for (const isCompressed of [false, true])
      it(`that never opens ${what} window loses ${isCompressed ? "compressed " : ""}replies after limits.stallMs`, async () => {
        let running = 0;
        const handler: CallHandler = async (call) => {
          if (call.path === "/a.B/Little") return;
          call.compress(isCompressed);
          running++;
          await serveMethod(call, much, { service: "a", account: undefined, namespace: "" });
          running--;
        };
        await using server = await serve(handler, { stallMs: 1000 });
        using peer = await RawHttp2.connect(server.address, { settings });
        const message = frame(RawType.data, RawFlag.endStream, 1, Buffer.alloc(5));
        peer.send(grpcRequest(1, "/a.B/Much", ["grpc-accept-encoding", "gzip"], false), message);
        equal((await peer.headers(1))["grpc-encoding"], isCompressed ? "gzip" : undefined);
        equal(await peer.rstStream(1), cancelled);
        equal(running, 0);
        peer.send(grpcRequest(3, "/a.B/Little"));
        equal((await peer.headers(3))[":status"], "200");
        equal((await peer.headers(3))["grpc-status"], "0");
      });

  it("that never opens its window holds up an open call at one message, until its deadline", async () => {
    let sent = 0;
    await using server = await serve(
      async (call) => {
        for (; ; sent++) await call.send(Buffer.alloc(1000));
      },
      { stallMs: 500 },
    );
    using peer = await RawHttp2.connect(server.address, { settings: [4, 0] });
    peer.send(grpcRequest(1, "/a.B/C", ["grpc-timeout", "2500m"]));
    equal((await peer.headers(1))[":status"], "200");
    equal(await peer.rstStream(1), cancelled);
    equal(sent, 1);
    ok(!peer.isEnded);
  });

  it("may take a minute by default, and leave 8 MiB unread", () => {
    equal(defaultLimits.stallMs, 60_000);
    equal(defaultLimits.maxPendingBytes, 8 * 1024 * 1024);
  });
});
