// The same random answers of a server, frame by frame, to our client and to one of node:http2: both see the same, and send the same.
import { deepEqual, equal } from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import fc from "fast-check";
import { frameMessage } from "../../../../testing/src/grpc-frames.ts";
import { type NodeAnswer, NodeHttp2Client } from "../../../../testing/src/node-http2-client.ts";
import { bodyFrames, headerFrames, type Manner } from "../../../../testing/src/planned-call.ts";
import { manner, messages, metadata } from "../../../../testing/src/planned-call-arbitrary.ts";
import { listenRaw, type RawHttp2 } from "../../../../testing/src/raw-http2.ts";
import { frame, RawFlag, type RawFrame, RawType, uint32 } from "../../../../testing/src/raw-http2-frames.ts";
import { until } from "../../../../testing/src/until.ts";
import { Connections } from "../connections.ts";

const nightly = process.env.MICRO_NIGHTLY !== undefined;
const cancel = 8;
const protocolError = 1;

type Fields = readonly (readonly [string, string])[];

/** What a client sends. */
interface Request {
  readonly metadata: Fields;
  readonly messages: readonly Uint8Array[];
}

/** How a server answers. */
interface Answer {
  /** Responses of status 1xx before the real one. */
  readonly interim: number;
  readonly metadata: Fields;
  readonly messages: readonly Uint8Array[];
  readonly trailers: Fields;
  readonly grpcStatus: number;
  readonly manner: Manner;
  /** Instead of the rest: headers with the status alone, or a reset after them. */
  readonly instead: "trailers only" | "reset" | undefined;
}

function answerFrames(streamId: number, answer: Answer): Buffer[] {
  const { interim, manner, grpcStatus, instead } = answer;
  const all: Buffer[] = [];
  for (let n = 0; n < interim; n++) all.push(headerFrames(streamId, [":status", "103", "x-early", "1"], manner, false));
  const head = [":status", "200", "content-type", "application/grpc", ...answer.metadata.flat()];
  const end = ["grpc-status", String(grpcStatus), ...answer.trailers.flat()];
  if (instead === "trailers only") return [...all, headerFrames(streamId, [...head, ...end], manner, true)];
  all.push(headerFrames(streamId, head, manner, false));
  if (instead === "reset") return [...all, frame(RawType.rstStream, 0, streamId, uint32(cancel))];
  all.push(...bodyFrames(streamId, answer.messages, manner, false));
  return [...all, headerFrames(streamId, end, manner, true)];
}

/** A server that reads a request whole, granting what it takes, and answers each with what is planned. */
class Planned {
  answer: readonly Buffer[] | ((streamId: number) => readonly Buffer[]) = [];
  /** The request as it came: fields of the client's choice, and the messages. */
  readonly requests: { metadata: Fields; body: string }[] = [];
  /** Codes with which the client has reset its stream or ended the connection. */
  readonly refusals: number[] = [];

  readonly serve = async (peer: RawHttp2): Promise<void> => {
    let body: Buffer[] = [];
    let fields: readonly string[] = [];
    try {
      for (;;) {
        const each = await peer.next("frame", () => true);
        if (each.type === RawType.headers) [fields, body] = [each.fields ?? [], []];
        if (each.type === RawType.data) body.push(this.#take(peer, each));
        if (each.type === RawType.rstStream) this.refusals.push(each.payload.readUInt32BE(0));
        if (each.type === RawType.goaway && each.payload.readUInt32BE(4) > 0)
          this.refusals.push(each.payload.readUInt32BE(4));
        if ((each.type === RawType.headers || each.type === RawType.data) && each.flags & RawFlag.endStream) {
          this.requests.push({ metadata: chosen(fields), body: Buffer.concat(body).toString("hex") });
          peer.send(...(typeof this.answer === "function" ? this.answer(each.streamId) : this.answer));
        }
      }
    } catch {
      // The client has gone.
    }
  };

  #take(peer: RawHttp2, { streamId, payload, flags }: RawFrame): Buffer {
    if (payload.length > 0) {
      const increment = uint32(payload.length);
      peer.send(frame(RawType.windowUpdate, 0, 0, increment));
      if (!(flags & RawFlag.endStream)) peer.send(frame(RawType.windowUpdate, 0, streamId, increment));
    }
    return payload;
  }
}

function chosen(fields: readonly string[]): Fields {
  const pairs = Array.from(
    { length: fields.length / 2 },
    (_, n) => [fields[2 * n] ?? "", fields[2 * n + 1] ?? ""] as const,
  );
  return pairs.filter(([name]) => /^[xy]/.test(name)).toSorted(([a], [b]) => (a < b ? -1 : 1));
}

const path = "/a.B/C";

async function callOurs(connections: Connections, address: string, request: Request): Promise<NodeAnswer> {
  const start = {
    path,
    contentType: "application/grpc",
    metadata: Object.fromEntries(request.metadata),
    deadline: undefined,
  };
  const call = connections.open(address, start, undefined);
  for (const message of request.messages) await call.send(message).catch(() => {});
  call.end();
  const received: string[] = [];
  for (let message = await call.read(); message !== undefined; message = await call.read())
    received.push(Buffer.from(message).toString("hex"));
  const status = await call.status;
  const headers = await call.headers.catch(() => ({}));
  return { metadata: { ...headers }, messages: received, status: status.code, trailers: { ...status.trailers } };
}

const request: fc.Arbitrary<Request> = fc.record({
  // Each name once: node:http2 sends repeated ones apart, ours has them joined.
  metadata: metadata.map((fields) => [...new Map(fields)].filter(([, value]) => value !== "")),
  messages,
});

const answer: fc.Arbitrary<Answer> = fc.record({
  interim: fc.nat(2),
  metadata,
  messages,
  trailers: metadata,
  grpcStatus: fc.nat(16),
  manner,
  instead: fc.oneof(
    { weight: 6, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.constant("trailers only" as const) },
    { weight: 1, arbitrary: fc.constant("reset" as const) },
  ),
});

const plain: Manner = { pieces: [1000], paddings: [-1], cuts: [], hasPriority: false, end: "data" };
const head = [":status", "200", "content-type", "application/grpc"];
const end = ["grpc-status", "0"];
const block = (id: number, fields: readonly string[], isEnd = false) => headerFrames(id, fields, plain, isEnd);
const data = (id: number, isEnd = false) => frame(RawType.data, isEnd ? 1 : 0, id, frameMessage(Buffer.from("four")));
const whole = (fields: readonly string[]) => (id: number) => [block(id, fields), data(id), block(id, end, true)];

/** Answers that are malformed in one way (RFC 9113 §8), or just look odd. */
const oddities: Readonly<Record<string, (streamId: number) => Buffer[]>> = {
  none: whole(head),
  "no :status": whole(head.slice(2)),
  "a :status of two digits": whole([":status", "20", ...head.slice(2)]),
  ":status twice": whole([":status", "200", ...head]),
  "a :status behind a field": whole(["x-a", "1", ...head]),
  "a pseudo-header of requests": whole([":path", "/", ...head]),
  "a name in upper case": whole([...head, "X-Upper", "1"]),
  connection: whole([...head, "connection", "close"]),
  "content-length of too much": whole([...head, "content-length", "100"]),
  "content-length of too little": whole([...head, "content-length", "3"]),
  "content-length that is right": whole([...head, "content-length", "9"]),
  "the status 101": (id) => [block(id, [":status", "101"]), ...whole(head)(id)],
  "DATA before its headers": (id) => [data(id), ...whole(head)(id)],
  "an end before its headers": (id) => [data(id, true)],
  "an interim response that ends it": (id) => [block(id, [":status", "103"], true)],
  "trailers that don't end it": (id) => [block(id, head), data(id), block(id, end), data(id, true)],
  "a pseudo-header in its trailers": (id) => [block(id, head), data(id), block(id, [":status", "200", ...end], true)],
  "DATA after its end": (id) => [...whole(head)(id), data(id)],
};

describe("our client and node:http2's", () => {
  const planned = new Planned();
  let server: Awaited<ReturnType<typeof listenRaw>>;
  const nodesClient = new NodeHttp2Client();
  let connections: Connections;
  before(async () => {
    server = await listenRaw((peer) => void planned.serve(peer), { settings: [4, 1000] });
    connections = new Connections();
  });
  after(async () => {
    nodesClient[Symbol.dispose]();
    await connections[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  it("see the same in the same random answer, and send the same request", async () => {
    await fc.assert(
      fc.asyncProperty(request, answer, async (asked, given) => {
        planned.answer = (streamId) => answerFrames(streamId, given);
        planned.requests.length = 0;
        const mine = await callOurs(connections, server.address, asked);
        const nodes = await nodesClient.call({ address: server.address, path, ...asked });
        // A reset may overtake what came before it on the way to the caller.
        if (given.instead === "reset") equal(mine.status, nodes.status);
        // The one header block there is counts as trailers; whether as headers too is a matter of taste.
        else if (given.instead === "trailers only") deepEqual({ ...mine, metadata: {} }, { ...nodes, metadata: {} });
        else deepEqual(mine, nodes);
        deepEqual(planned.requests[0], planned.requests[1]);
        equal(planned.requests.length, 2);
      }),
      { numRuns: nightly ? 2000 : 100 },
    );
  });

  for (const [name, frames] of Object.entries(oddities))
    it(`take or refuse alike an answer with ${name}`, async () => {
      const [forNode, forUs] = [new Planned(), new Planned()];
      forNode.answer = forUs.answer = frames;
      await using nodesServer = await listenRaw((peer) => void forNode.serve(peer));
      await using ourServer = await listenRaw((peer) => void forUs.serve(peer));
      await using own = new Connections();
      const nothing = { metadata: [], messages: [] };
      const { status: nodes } = await nodesClient.call({ address: nodesServer.address, path, ...nothing });
      const { status: mine } = await callOurs(own, ourServer.address, nothing);
      equal(mine === 0, nodes === 0);
      if (mine === 0) return;
      // What is refused is also told to the server.
      await until(
        async () => forUs.refusals,
        (codes) => codes.includes(protocolError),
      );
    });
});
