// Frames that cost this side more than the peer: for each kind the limit by default, and the setting that changes it (GW-13).
import { equal, match, ok } from "node:assert/strict";
import { describe, it } from "node:test";
import { RawHttp2 } from "../../../../testing/src/raw-http2.ts";
import {
  frame,
  grpcRequest,
  literalBlock,
  RawFlag,
  RawType,
  uint32,
} from "../../../../testing/src/raw-http2-frames.ts";
import { type ListenOptions, listen } from "../listen.ts";
import type { ServerCall } from "../transport.ts";
import { defaultLimits, type Limits } from "./limits.ts";

const enhanceYourCalm = 11;

interface Flood {
  readonly name: string;
  readonly limit: keyof Limits;
  /** What is sent once, before. */
  readonly first?: Buffer;
  /** The frames of one blow; `n` counts from 0. */
  blow(n: number): Buffer;
  /** What the peer is told. */
  readonly told: RegExp;
}

const tooManyFields = literalBlock(Array(600).fill("x"));
const hanging = grpcRequest(1, "/a.B/Hang", [], false);
const idle = /^too many frames without a use \(limits\.idleFrameBurst = \d+\)$/;
const resets = /^too many reset or refused calls \(limits\.resetBurst = \d+, limits\.resetsPerSecond = \d+\)$/;

/** A call's HEADERS, and what makes the server reset it or comes with its reset; stream 1 stays as it is. */
function perCall(more: (streamId: number) => Buffer, isEnd = false): Pick<Flood, "blow"> {
  return {
    blow: (n) => Buffer.concat([grpcRequest(2 * n + 3, "/a.B/Hang", [], isEnd), more(2 * n + 3)]),
  };
}

const floods: readonly Flood[] = [
  {
    name: "rapid reset (CVE-2023-44487)",
    limit: "resetBurst",
    ...perCall((id) => frame(RawType.rstStream, 0, id, uint32(8))),
    told: resets,
  },
  {
    name: "resets by a WINDOW_UPDATE of 0 (CVE-2025-8671)",
    limit: "resetBurst",
    ...perCall((id) => frame(RawType.windowUpdate, 0, id, uint32(0))),
    told: resets,
  },
  {
    name: "resets by a window over 2^31-1 (CVE-2025-8671)",
    limit: "resetBurst",
    ...perCall((id) => frame(RawType.windowUpdate, 0, id, uint32(2 ** 31 - 1))),
    told: resets,
  },
  {
    name: "resets by DATA after END_STREAM (CVE-2025-8671)",
    limit: "resetBurst",
    ...perCall((id) => frame(RawType.data, 0, id, Buffer.of(0)), true),
    told: resets,
  },
  {
    name: "resets by HEADERS after END_STREAM (CVE-2025-8671)",
    limit: "resetBurst",
    ...perCall((id) => grpcRequest(id, "/a.B/Hang"), true),
    told: resets,
  },
  {
    name: "resets by a PRIORITY of a wrong length (CVE-2025-8671)",
    limit: "resetBurst",
    ...perCall((id) => frame(RawType.priority, 0, id, Buffer.of(0))),
    told: resets,
  },
  {
    name: "resets by a body that is longer than announced (CVE-2025-8671)",
    limit: "resetBurst",
    blow: (n) =>
      Buffer.concat([
        grpcRequest(2 * n + 3, "/a.B/Hang", ["content-length", "1"], false),
        frame(RawType.data, 0, 2 * n + 3, Buffer.of(0, 0)),
      ]),
    told: resets,
  },
  {
    name: "malformed requests",
    limit: "resetBurst",
    blow: (n) => grpcRequest(2 * n + 3, "/a.B/Hang", ["connection", "close"]),
    told: resets,
  },
  {
    name: "requests with metadata over the limit",
    limit: "resetBurst",
    blow: (n) => frame(RawType.headers, RawFlag.endHeaders | RawFlag.endStream, 2 * n + 3, tooManyFields),
    told: resets,
  },
  {
    name: "SETTINGS",
    limit: "controlBurst",
    blow: () => frame(RawType.settings, 0, 0),
    told: /^too many SETTINGS \(limits\.controlBurst = \d+\)$/,
  },
  {
    name: "PINGs",
    limit: "controlBurst",
    blow: () => frame(RawType.ping, 0, 0, Buffer.alloc(8)),
    told: /^too_many_pings$/,
  },
  {
    name: "GOAWAY",
    limit: "controlBurst",
    blow: () => frame(RawType.goaway, 0, 0, Buffer.alloc(8)),
    told: /^too many GOAWAY \(limits\.controlBurst = \d+\)$/,
  },
  {
    name: "acknowledgements of PINGs",
    limit: "idleFrameBurst",
    blow: () => frame(RawType.ping, RawFlag.ack, 0, Buffer.alloc(8)),
    told: idle,
  },
  {
    name: "acknowledgements of SETTINGS",
    limit: "idleFrameBurst",
    blow: () => frame(RawType.settings, RawFlag.ack, 0),
    told: idle,
  },
  {
    name: "empty DATA (CVE-2019-9518)",
    limit: "idleFrameBurst",
    first: hanging,
    blow: () => frame(RawType.data, 0, 1),
    told: idle,
  },
  {
    name: "DATA of padding alone",
    limit: "idleFrameBurst",
    first: hanging,
    blow: () => frame(RawType.data, RawFlag.padded, 1, Buffer.of(2, 0, 0)),
    told: idle,
  },
  {
    name: "WINDOW_UPDATEs of the connection",
    limit: "idleFrameBurst",
    blow: () => frame(RawType.windowUpdate, 0, 0, uint32(1)),
    told: idle,
  },
  {
    name: "WINDOW_UPDATEs of a stream",
    limit: "idleFrameBurst",
    first: hanging,
    blow: () => frame(RawType.windowUpdate, 0, 1, uint32(1)),
    told: idle,
  },
  {
    name: "PRIORITY (CVE-2019-9513)",
    limit: "idleFrameBurst",
    blow: (n) => frame(RawType.priority, 0, 2 * n + 3, Buffer.of(0, 0, 0, 0, 9)),
    told: idle,
  },
  {
    name: "frames of unknown types",
    limit: "idleFrameBurst",
    blow: (n) => frame(0xf0, n & 0xff, n),
    told: idle,
  },
  {
    name: "RST_STREAMs of a call that is over",
    limit: "idleFrameBurst",
    first: Buffer.concat([hanging, frame(RawType.rstStream, 0, 1, uint32(8))]),
    blow: () => frame(RawType.rstStream, 0, 1, uint32(8)),
    told: idle,
  },
  {
    name: "header blocks for a call that the server has reset",
    limit: "idleFrameBurst",
    first: Buffer.concat([hanging, frame(RawType.windowUpdate, 0, 1, uint32(0))]),
    blow: () => grpcRequest(1, "/a.B/Hang"),
    told: idle,
  },
  {
    name: "empty DATA with END_STREAM for a call that the server has reset",
    limit: "idleFrameBurst",
    first: Buffer.concat([hanging, frame(RawType.windowUpdate, 0, 1, uint32(0))]),
    blow: () => frame(RawType.data, RawFlag.endStream, 1),
    told: idle,
  },
];

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
    other.send(hanging);
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
