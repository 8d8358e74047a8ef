// A client whose server floods it, or answers with more than it takes. The floods of servers are in floods.test.ts.
import { equal, match, ok } from "node:assert/strict";
import { describe, it } from "node:test";
import { callText, status } from "../../../../testing/src/calls.ts";
import { listenRaw, type RawHttp2 } from "../../../../testing/src/raw-http2.ts";
import {
  frame,
  literalBlock,
  RawFlag,
  type RawFrame,
  RawType,
  uint32,
} from "../../../../testing/src/raw-http2-frames.ts";
import { until } from "../../../../testing/src/until.ts";
import { GrpcStatus } from "../../errors.ts";
import { Connections } from "../index.ts";
import type { Limits } from "./limits.ts";

const { endHeaders, endStream } = RawFlag;
const head = [":status", "200", "content-type", "application/grpc"];
const block = (streamId: number, fields: readonly string[], flags: number = endHeaders) =>
  frame(RawType.headers, flags, streamId, literalBlock(fields));
/** An answer of one message. */
const answer = (streamId: number) =>
  Buffer.concat([
    block(streamId, head),
    frame(RawType.data, 0, streamId, Buffer.concat([Buffer.of(0), uint32(5), Buffer.from("hello")])),
    block(streamId, ["grpc-status", "0"], endHeaders | endStream),
  ]);
const isRequestEnd = ({ type, flags }: RawFrame) =>
  (type === RawType.headers || type === RawType.data) && (flags & endStream) !== 0;

/** A server that answers the first call with what it is given, in pieces, and the others well. */
class Hostile implements AsyncDisposable {
  readonly peers: RawHttp2[] = [];
  readonly #pieces: (streamId: number) => readonly Buffer[];
  #server: Awaited<ReturnType<typeof listenRaw>> | undefined;
  #isFirst = true;

  constructor(pieces: (streamId: number) => readonly Buffer[]) {
    this.#pieces = pieces;
  }

  async listen(): Promise<this> {
    this.#server = await listenRaw((peer) => void this.#serve(peer).catch(() => {}));
    return this;
  }

  get address(): string {
    return this.#server?.address ?? "";
  }

  async #serve(peer: RawHttp2): Promise<void> {
    this.peers.push(peer);
    for (;;) {
      const { streamId } = await peer.next("request", isRequestEnd);
      const bytes = this.#isFirst ? this.#pieces(streamId) : [answer(streamId)];
      this.#isFirst = false;
      for (const piece of bytes) if (!(await peer.sendSlowly(piece))) return;
    }
  }

  /** What the first client said in its GOAWAY. */
  async goaway(): Promise<{ code: number; message: string }> {
    const find = async () => this.peers[0]?.frames.find(({ type }) => type === RawType.goaway)?.payload;
    const payload = (await until(find, (found) => found !== undefined)) ?? Buffer.alloc(8);
    return { code: payload.readUInt32BE(4), message: payload.toString("utf8", 8) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]();
  }
}

interface Flood {
  readonly name: string;
  readonly limit: keyof Limits;
  /** What comes first, and what is repeated. */
  readonly first?: (streamId: number) => Buffer;
  readonly blow: (streamId: number) => Buffer;
}

const floods: readonly Flood[] = [
  { name: "PINGs", limit: "controlBurst", blow: () => frame(RawType.ping, 0, 0, Buffer.alloc(8)) },
  { name: "SETTINGS", limit: "controlBurst", blow: () => frame(RawType.settings, 0, 0) },
  {
    name: "acknowledgements",
    limit: "idleFrameBurst",
    blow: () => frame(RawType.ping, RawFlag.ack, 0, Buffer.alloc(8)),
  },
  {
    name: "empty DATA",
    limit: "idleFrameBurst",
    first: (id) => block(id, head),
    blow: (id) => frame(RawType.data, 0, id),
  },
  { name: "WINDOW_UPDATEs", limit: "idleFrameBurst", blow: () => frame(RawType.windowUpdate, 0, 0, uint32(1)) },
  { name: "interim responses", limit: "idleFrameBurst", blow: (id) => block(id, [":status", "103"]) },
  {
    name: "CONTINUATION",
    limit: "maxContinuations",
    first: (id) => block(id, head, 0),
    blow: (id) => frame(RawType.continuation, 0, id),
  },
];

describe("a client", () => {
  for (const { name, limit, first, blow } of floods)
    it(`ends a connection on which the server floods it with ${name}, says why, and calls on another one`, async () => {
      const pieces = (id: number) => [
        ...(first === undefined ? [] : [first(id)]),
        ...Array.from({ length: 200 }, () => Buffer.concat(Array(100).fill(blow(id)))),
      ];
      await using server = await new Hostile(pieces).listen();
      await using connections = new Connections();
      const why = status(GrpcStatus.unavailable, new RegExp(`limits\\.${limit} = `));
      ok(await callText(connections, server.address).then(() => false, why));
      const { code, message } = await server.goaway();
      equal(code, 11);
      match(message, name === "PINGs" ? /^too_many_pings$/ : new RegExp(`limits\\.${limit} = `));
      equal(await callText(connections, server.address), "hello");
    });

  it("ends the call whose metadata is over the limit, names it, and goes on with the connection", async () => {
    const tooMany = (id: number) => [block(id, [...head, ...Array(600).fill("x")])];
    await using server = await new Hostile(tooMany).listen();
    await using connections = new Connections();
    const why = status(
      GrpcStatus.internal,
      /too large \(limits\.maxHeaderListBytes = \d+, limits\.maxHeaderFields = 256\)/,
    );
    ok(await callText(connections, server.address).then(() => false, why));
    equal(await callText(connections, server.address), "hello");
    equal(server.peers.length, 1);
  });

  it("refuses a message over the limit by its prefix alone, and names the setting", async () => {
    const claim = Buffer.concat([Buffer.of(0), uint32(1001), Buffer.alloc(10)]);
    const claiming = (id: number) => [block(id, head), frame(RawType.data, 0, id, claim)];
    await using server = await new Hostile(claiming).listen();
    await using connections = new Connections({ maxMessageBytes: 1000 });
    const why = status(GrpcStatus.resourceExhausted, /1001 bytes is over the limit of 1000 bytes \(maxMessageBytes\)/);
    ok(await callText(connections, server.address).then(() => false, why));
    equal(await callText(connections, server.address), "hello");
  });

  it("gives up a request that the server doesn't let through for limits.stallMs", async () => {
    await using server = await listenRaw(() => {}, { settings: [4, 0] });
    await using connections = new Connections({ limits: { stallMs: 500 } });
    const why = status(GrpcStatus.internal, /stopped reading \(limits\.stallMs = 500\)/);
    ok(await callText(connections, server.address).then(() => false, why));
  });
});
