// Frames that cost this side more than the peer: for each kind the limit by default, and the setting that changes it (GW-13).
import { equal, match, ok } from "node:assert/strict";
import { describe, it } from "node:test";
import { type Flood, floods } from "../../../../testing/src/http2-floods.ts";
import { RawHttp2 } from "../../../../testing/src/raw-http2.ts";
import { frame, grpcRequest, RawType, uint32 } from "../../../../testing/src/raw-http2-frames.ts";
import { type ListenOptions, listen } from "../listen.ts";
import type { ServerCall } from "../transport.ts";
import { defaultLimits, type Limits } from "./limits.ts";

const enhanceYourCalm = 11;

/** Ends `/a.B/Ok` at once; `/a.B/Hang` when it is cancelled. */
async function handle({ path, signal }: ServerCall): Promise<void> {
  if (path === "/a.B/Ok") return;
  await new Promise((resolve) => signal.addEventListener("abort", resolve));
}

async function serve(limits: Partial<Limits> = {}, options: Partial<ListenOptions> = {}) {
  // The interval between PINGs has its own tests.
  return await listen(handle, { address: "127.0.0.1:0", limits, keepalive: { minIntervalMs: 0 }, ...options });
}

function blows({ blow }: Flood, from: number, to: number): Buffer {
  return Buffer.concat(Array.from({ length: to - from }, (_, n) => blow(from + n)));
}

describe("a flood", () => {
  for (const flood of floods) {
    const { name, limit, first = Buffer.alloc(0), told } = flood;

    it(`of ${name} is borne up to ${limit}, and ends the connection beyond`, async () => {
      await using server = await serve();
      using peer = await RawHttp2.connect(server.address);
      // A few less: what opens the connection and the calls of this test count too.
      const most = defaultLimits[limit] - 20;
      peer.send(first, blows(flood, 0, most), grpcRequest(2 * most + 101, "/a.B/Ok"));
      equal((await peer.headers(2 * most + 101))[":status"], "200");
      // Time gives back a part, and what is useful stands against some more.
      const more = Math.max(200, most / 2);
      peer.send(blows(flood, most + 60, most + 60 + more));
      const { code, message } = await peer.goaway();
      equal(code, enhanceYourCalm);
      match(message, told);
      await peer.ended();
    });

    it(`of ${name} ends the connection earlier with a lower limits.${limit}`, async () => {
      await using server = await serve({ [limit]: 30 });
      using peer = await RawHttp2.connect(server.address);
      peer.send(first, blows(flood, 0, 100));
      const { code, message } = await peer.goaway();
      equal(code, enhanceYourCalm);
      match(message, told);
      if (told !== floods.find(({ name }) => name === "PINGs")?.told)
        match(message, new RegExp(`limits.${limit} = 30`));
    });
  }

  it("of one client leaves the others alone", async () => {
    await using server = await serve();
    using other = await RawHttp2.connect(server.address);
    using peer = await RawHttp2.connect(server.address);
    other.send(grpcRequest(1, "/a.B/Hang", [], false));
    peer.send(...Array.from({ length: 4000 }, (_, n) => floods[0]?.blow(n) ?? Buffer.alloc(0)));
    await peer.ended();
    other.send(grpcRequest(3, "/a.B/Ok"));
    equal((await other.headers(3))[":status"], "200");
    ok(!other.isEnded);
  });
});

describe("a peer with much to say", () => {
  it("may acknowledge every message on its own: WINDOW_UPDATEs that follow useful frames are no flood", async () => {
    const count = 10_000;
    await using server = await listen(
      async (call) => {
        for (let n = 0; n < count; n++) {
          await call.send(Buffer.from("a"));
          if (n % 100 === 0) await new Promise((done) => setImmediate(done));
        }
      },
      { address: "127.0.0.1:0" },
    );
    using peer = await RawHttp2.connect(server.address);
    peer.send(grpcRequest(1, "/a.B/Count"));
    for (let n = 0; n < count; n++) {
      const { payload } = await peer.next("DATA", ({ type }) => type === RawType.data);
      const increment = uint32(payload.length);
      peer.send(frame(RawType.windowUpdate, 0, 1, increment), frame(RawType.windowUpdate, 0, 0, increment));
    }
    equal((await peer.headers(1))["grpc-status"], "0");
  });

  it("may not ask for a message a byte at a time (CVE-2019-9511)", async () => {
    await using server = await listen(
      async (call) => {
        for (;;) await call.send(Buffer.alloc(1000));
      },
      { address: "127.0.0.1:0" },
    );
    using peer = await RawHttp2.connect(server.address, { settings: [4, 0] });
    peer.send(grpcRequest(1, "/a.B/Count"));
    const one = frame(RawType.windowUpdate, 0, 1, uint32(1));
    for (let n = 0; n < 3000 && !peer.isEnded; n++) {
      peer.send(one);
      if (n % 50 === 0) await new Promise((done) => setImmediate(done));
    }
    equal((await peer.goaway()).code, enhanceYourCalm);
  });
});
