// What the headers of a call may cost: their number, their size decoded and encoded, and the frames they come in.
import { equal, match, ok } from "node:assert/strict";
import { describe, it } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { RawHttp2 } from "../../../../testing/src/raw-http2.ts";
import {
  frame,
  grpcFields,
  grpcRequest,
  literalBlock,
  RawFlag,
  RawType,
} from "../../../../testing/src/raw-http2-frames.ts";
import { listen } from "../listen.ts";
import type { Listener } from "../transport.ts";
import { defaultLimits, type Limits } from "./limits.ts";

setFlagsFromString("--expose-gc");
const gc: () => void = runInNewContext("gc");

const { endHeaders, endStream } = RawFlag;
const enhanceYourCalm = 11;
const own = grpcFields("/a.B/C");
/** What they count by RFC 9113 §6.5.2. */
const ownBytes = own.join("").length + (own.length / 2) * 32;

async function serve(limits: Partial<Limits> = {}): Promise<Listener> {
  return await listen(() => {}, { address: "127.0.0.1:0", limits });
}

function request(streamId: number, more: readonly string[]): Buffer {
  return grpcRequest(streamId, "/a.B/C", more);
}

/** A header block in HEADERS and CONTINUATION frames of `size` bytes. */
function inPieces(streamId: number, block: Buffer, size: number): Buffer {
  const frames = [];
  for (let at = 0; at < block.length || at === 0; at += size) {
    const flags = (at === 0 ? endStream : 0) | (at + size >= block.length ? endHeaders : 0);
    frames.push(
      frame(at === 0 ? RawType.headers : RawType.continuation, flags, streamId, block.subarray(at, at + size)),
    );
  }
  return Buffer.concat(frames);
}

function blockOf(more: readonly string[]): Buffer {
  return literalBlock([...own, ...more]);
}

/** Fields that take 104 bytes each on the wire. */
function fieldsOf(count: number): string[] {
  return Array.from({ length: count }, () => ["ab", "c".repeat(99)]).flat();
}

describe("the limits of a header list", () => {
  for (const limits of [{}, { maxHeaderFields: 20 }]) {
    const { maxHeaderFields } = { ...defaultLimits, ...limits };

    it(`are ${maxHeaderFields} fields: a call with more is refused in words, and the next one answered`, async () => {
      await using server = await serve(limits);
      using peer = await RawHttp2.connect(server.address);
      peer.send(request(1, Array(2 * maxHeaderFields - own.length).fill("x")));
      equal((await peer.headers(1))["grpc-status"], undefined);
      peer.send(request(3, Array(2 * maxHeaderFields - own.length + 2).fill("x")));
      const refused = await peer.headers(3);
      equal(refused[":status"], "431");
      equal(refused["grpc-status"], "8");
      match(refused["grpc-message"] ?? "", new RegExp(`limits.maxHeaderFields = ${maxHeaderFields}\\)`));
      peer.send(request(5, []));
      equal((await peer.headers(5))[":status"], "200");
    });
  }

  for (const limits of [{}, { maxHeaderListBytes: 1000 }]) {
    const { maxHeaderListBytes } = { ...defaultLimits, ...limits };

    it(`are ${maxHeaderListBytes} bytes: a call with more is refused in words, and the next one answered`, async () => {
      await using server = await serve(limits);
      using peer = await RawHttp2.connect(server.address);
      const fits = maxHeaderListBytes - ownBytes - 33;
      peer.send(inPieces(1, blockOf(["x", "y".repeat(fits)]), 16_384));
      equal((await peer.headers(1))["grpc-status"], undefined);
      peer.send(inPieces(3, blockOf(["x", "y".repeat(fits + 1)]), 16_384));
      const refused = await peer.headers(3);
      equal(refused[":status"], "431");
      equal(refused["grpc-status"], "8");
      match(refused["grpc-message"] ?? "", new RegExp(`limits.maxHeaderListBytes = ${maxHeaderListBytes},`));
      peer.send(request(5, []));
      equal((await peer.headers(5))[":status"], "200");
    });
  }

  it("are announced to the peer", async () => {
    await using server = await serve({ maxHeaderListBytes: 54_321 });
    using peer = await RawHttp2.connect(server.address);
    const { payload } = await peer.next("SETTINGS", ({ type }) => type === RawType.settings);
    const at = Array.from({ length: payload.length / 6 }, (_, n) => 6 * n).find((n) => payload.readUInt16BE(n) === 6);
    equal(payload.readUInt32BE((at ?? 0) + 2), 54_321);
  });

  it("hold for trailers too, which end their call alone", async () => {
    await using server = await listen(
      async (call) => {
        while ((await call.read()) !== undefined);
      },
      { address: "127.0.0.1:0" },
    );
    using peer = await RawHttp2.connect(server.address);
    peer.send(grpcRequest(1, "/a.B/C", [], false));
    peer.send(frame(RawType.headers, endHeaders | endStream, 1, literalBlock(Array(600).fill("x"))));
    equal(await peer.rstStream(1), 1);
    peer.send(request(3, []));
    equal((await peer.headers(3))[":status"], "200");
  });

  it("leave HPACK's table in step when they refuse a list", async () => {
    await using server = await listen(({ metadata }) => void paths.push(metadata["kept"]), { address: "127.0.0.1:0" });
    const paths: (string | undefined)[] = [];
    using peer = await RawHttp2.connect(server.address);
    // A literal that enters the table stands behind far too many others.
    const entered = Buffer.concat([Buffer.of(0x40), literalBlock(["kept", "value"]).subarray(1)]);
    const block = Buffer.concat([blockOf(Array(600).fill("x")), entered]);
    peer.send(frame(RawType.headers, endHeaders | endStream, 1, block));
    equal((await peer.headers(1))[":status"], "431");
    peer.send(frame(RawType.headers, endHeaders | endStream, 3, Buffer.concat([blockOf([]), Buffer.of(0x80 | 62)])));
    equal((await peer.headers(3))[":status"], "200");
    equal(paths[0], "value");
  });
});

describe("an HPACK bomb", () => {
  it("is refused by the size it unfolds to, and costs neither memory nor the connection", async () => {
    await using server = await serve();
    using peer = await RawHttp2.connect(server.address);
    const entered = Buffer.concat([Buffer.of(0x40), literalBlock(["bomb", "b".repeat(4000)]).subarray(1)]);
    peer.send(frame(RawType.headers, endHeaders | endStream, 1, Buffer.concat([blockOf([]), entered])));
    equal((await peer.headers(1))[":status"], "200");
    // 100,000 bytes that stand for 400 MB.
    const bomb = inPieces(0, Buffer.concat([blockOf([]), Buffer.alloc(100_000, 0x80 | 62)]), 16_384);
    const onStream = (streamId: number) => {
      const copy = Buffer.from(bomb);
      for (let at = 0; at < copy.length; at += 9 + copy.readUIntBE(at, 3)) copy.writeUInt32BE(streamId, at + 5);
      return copy;
    };
    gc();
    const before = process.memoryUsage().heapUsed;
    for (let n = 0; n < 20; n++) {
      peer.send(onStream(2 * n + 3));
      equal((await peer.headers(2 * n + 3))[":status"], "431");
    }
    gc();
    const growth = process.memoryUsage().heapUsed - before;
    ok(growth < 4_000_000, `${growth} bytes more on the heap`);
    peer.send(request(101, []));
    equal((await peer.headers(101))[":status"], "200");
  });
});

describe("the limits of a header block", () => {
  for (const limits of [{}, { maxHeaderBlockBytes: 40_000 }]) {
    const { maxHeaderBlockBytes } = { ...defaultLimits, ...limits };

    it(`are ${maxHeaderBlockBytes} bytes encoded: more end the connection`, async () => {
      await using server = await serve(limits);
      using peer = await RawHttp2.connect(server.address);
      const filler = Math.floor((maxHeaderBlockBytes - blockOf([]).length) / 104);
      peer.send(inPieces(1, blockOf(fieldsOf(filler)), 16_384));
      equal((await peer.headers(1))[":status"], "431");
      peer.send(inPieces(3, blockOf(fieldsOf(filler + 1)), 16_384));
      const { code, message } = await peer.goaway();
      equal(code, enhanceYourCalm);
      equal(message, `a header block is too long (limits.maxHeaderBlockBytes = ${maxHeaderBlockBytes})`);
      await peer.ended();
    });
  }

  for (const limits of [{}, { maxContinuations: 3 }]) {
    const { maxContinuations } = { ...defaultLimits, ...limits };

    for (const size of [0, 10])
      it(`are ${maxContinuations} CONTINUATION frames, also of ${size} bytes (CVE-2024-27316)`, async () => {
        await using server = await serve(limits);
        using peer = await RawHttp2.connect(server.address);
        const first = frame(RawType.headers, endStream, 1, blockOf([]));
        const piece = literalBlock(["xyz", "1234"]).subarray(0, size);
        const more = frame(RawType.continuation, 0, 1, piece);
        const last = frame(RawType.continuation, endHeaders, 1);
        peer.send(first, ...Array(maxContinuations - 1).fill(more), last);
        equal((await peer.headers(1))[":status"], "200");
        const second = frame(RawType.headers, endStream, 3, blockOf([]));
        peer.send(second, ...Array(maxContinuations + 1).fill(frame(RawType.continuation, 0, 3, piece)));
        const { code, message } = await peer.goaway();
        equal(code, enhanceYourCalm);
        equal(
          message,
          `a header block has too many CONTINUATION frames (limits.maxContinuations = ${maxContinuations})`,
        );
        await peer.ended();
      });
  }
});
