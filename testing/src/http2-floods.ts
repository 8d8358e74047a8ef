import type { Limits } from "@microts/core/rpc";
import { frame, grpcRequest, literalBlock, RawFlag, RawType, uint32 } from "./raw-http2-frames.ts";

/** Frames that cost a server more than the client. It serves `/a.B/Hang`, which ends when it is cancelled. */
export interface Flood {
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

export const floods: readonly Flood[] = [
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
