// The same random conversation, frame by frame, with our server and with one of node:http2: the same result.
import { deepEqual, equal, ok } from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { after, before, describe, it } from "node:test";
import fc from "fast-check";
import { frameMessage, readMessages } from "../../../../testing/src/grpc-frames.ts";
import { callFrames, type PlannedCall } from "../../../../testing/src/planned-call.ts";
import { metadata, plannedCall } from "../../../../testing/src/planned-call-arbitrary.ts";
import { RawHttp2 } from "../../../../testing/src/raw-http2.ts";
import {
  frame,
  grpcFields,
  literalBlock,
  RawFlag,
  type RawFrame,
  RawType,
  uint32,
} from "../../../../testing/src/raw-http2-frames.ts";
import { listen } from "../listen.ts";
import type { CallHandler, Listener } from "../transport.ts";

const nightly = process.env.MICRO_NIGHTLY !== undefined;

/** First what the call's metadata was, then each message again. */
function first(fields: Readonly<Record<string, unknown>>): Buffer {
  return Buffer.from(
    JSON.stringify(
      Object.entries(fields)
        .filter(([name]) => /^[xy]/.test(name))
        .sort(),
    ),
  );
}

const ours: CallHandler = async (call) => {
  await call.send(first(call.metadata));
  for (let message = await call.read(); message !== undefined; message = await call.read()) await call.send(message);
};

async function theirs(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> {
  stream.on("error", () => {});
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  stream.write(frameMessage(first(headers)));
  try {
    for await (const message of readMessages(stream)) stream.write(frameMessage(message));
    stream.end();
  } catch {
    // The client has reset it.
  }
}

interface Conversation {
  readonly calls: readonly PlannedCall[];
  /** The client's initial window, and what it grants a stream first; it grants again what it receives. Less would be a flood (idleFrameBurst). */
  readonly window: number;
  readonly grant: number;
  /** Whose frame is next, in turn. */
  readonly order: readonly number[];
}

interface Answer {
  readonly status: string | undefined;
  readonly contentType: string | undefined;
  readonly body: string;
  readonly grpcStatus: string | undefined;
}

const isEnd = ({ type, flags }: RawFrame) =>
  (type === RawType.data || type === RawType.headers) && (flags & RawFlag.endStream) !== 0;

/** Sends each call's frames in their order, the calls mixed, and each call's first frame behind that of the call before. */
function mixed({ calls, order, grant }: Conversation): Buffer[] {
  const waiting = calls.map((call, n) => {
    const [head = Buffer.alloc(0), ...rest] = callFrames(2 * n + 1, "/a.B/Echo", call);
    return [Buffer.concat([head, frame(RawType.windowUpdate, 0, 2 * n + 1, uint32(grant))]), ...rest];
  });
  const all: Buffer[] = [];
  let begun = 0;
  for (let turn = 0; waiting.some((frames) => frames.length > 0); turn++) {
    const at = (order[turn % order.length] ?? 0) % waiting.length;
    const next = begun < waiting.length && at >= begun ? begun++ : at;
    const sent = waiting[next]?.shift() ?? waiting.find((frames, n) => frames.length > 0 && n < begun)?.shift();
    all.push(sent ?? waiting[begun++]?.shift() ?? Buffer.alloc(0));
  }
  return all;
}

/** Has the conversation and tells what came of the calls that weren't reset. */
async function converse(address: string, conversation: Conversation): Promise<Answer[]> {
  const { window, grant } = conversation;
  using peer = await RawHttp2.connect(address, { settings: [4, window] });
  for (const bytes of mixed(conversation)) peer.send(bytes);
  const open = new Set(
    conversation.calls.flatMap(({ resetAfter }, n) => (resetAfter === undefined ? [2 * n + 1] : [])),
  );
  const isNews = (each: RawFrame) => each.type === RawType.data || isEnd(each) || each.type === RawType.rstStream;
  while (open.size > 0) {
    const news = await peer.next("DATA or an end", isNews);
    if (isEnd(news) || news.type === RawType.rstStream) open.delete(news.streamId);
    const { length } = news.payload;
    if (news.type !== RawType.data || length === 0) continue;
    ok(length <= window + grant, `DATA of ${length} bytes for a window of ${window} and ${grant} more`);
    peer.send(frame(RawType.windowUpdate, 0, 0, uint32(length)));
    if (open.has(news.streamId)) peer.send(frame(RawType.windowUpdate, 0, news.streamId, uint32(length)));
  }
  // The connection has survived.
  peer.send(frame(RawType.ping, 0, 0, Buffer.from("survived")));
  await peer.next("PING", ({ type, payload }) => type === RawType.ping && payload.toString() === "survived");
  return conversation.calls.flatMap(({ resetAfter }, n) =>
    resetAfter === undefined ? [answerOn(peer, 2 * n + 1)] : [],
  );
}

function answerOn({ frames }: RawHttp2, streamId: number): Answer {
  const mine = frames.filter((each) => each.streamId === streamId);
  const [head = [], last = []] = mine.filter(({ type }) => type === RawType.headers).map(({ fields = [] }) => fields);
  const fieldIn = (fields: readonly string[], name: string) => fields[fields.indexOf(name) + 1];
  const body = Buffer.concat(mine.filter(({ type }) => type === RawType.data).map(({ payload }) => payload));
  return {
    status: fieldIn(head, ":status"),
    contentType: fieldIn(head, "content-type"),
    body: body.toString("hex"),
    grpcStatus: fieldIn(last, "grpc-status"),
  };
}

const conversation: fc.Arbitrary<Conversation> = fc.record({
  calls: fc.array(plannedCall, { minLength: 1, maxLength: 4 }),
  window: fc.constantFrom(0, 1, 100, 65_535, 200_000),
  grant: fc.integer({ min: 200, max: 3000 }),
  order: fc.array(fc.nat(3), { minLength: 1, maxLength: 12 }),
});

/** Requests that are malformed in one way (RFC 9113 §8), or just look odd. */
const oddities: Readonly<Record<string, (fields: string[]) => string[]>> = {
  none: (fields) => fields,
  "no :path": (fields) => without(fields, ":path"),
  "no :method": (fields) => without(fields, ":method"),
  "no :scheme": (fields) => without(fields, ":scheme"),
  "an empty :path": (fields) => fields.map((text, n) => (fields[n - 1] === ":path" ? "" : text)),
  ":path twice": (fields) => [":path", "/again", ...fields],
  "an unknown pseudo-header": (fields) => [":what", "x", ...fields],
  "a pseudo-header at the end": (fields) => [...without(fields, ":scheme"), ":scheme", "http"],
  "a name in upper case": (fields) => [...fields, "X-Upper", "1"],
  connection: (fields) => [...fields, "connection", "close"],
  "transfer-encoding": (fields) => [...fields, "transfer-encoding", "chunked"],
  "te: gzip": (fields) => [...without(fields, "te"), "te", "gzip"],
  "a line feed in a value": (fields) => [...fields, "x-a", "one\ntwo"],
  "a NUL in a value": (fields) => [...fields, "x-a", "one\0two"],
  "a space in a name": (fields) => [...fields, "x a", "1"],
  "an empty name": (fields) => [...fields, "", "1"],
  "content-length that is no number": (fields) => [...fields, "content-length", "many"],
  "content-length of too much": (fields) => [...fields, "content-length", "100"],
  "content-length of too little": (fields) => [...fields, "content-length", "3"],
  "content-length that is right": (fields) => [...fields, "content-length", "9"],
  "the right content-length twice": (fields) => [...fields, "content-length", "9", "content-length", "9"],
};

function without(fields: readonly string[], name: string): string[] {
  return fields.filter((_, n) => fields[n - (n % 2)] !== name);
}

/** Where they differ, and why ours does it as it does. */
const differing: Readonly<Record<string, string>> = {
  "a line feed in a value": "nghttp2 leaves the field out; RFC 9113 §8.2.1 asks to refuse the request",
  "a NUL in a value": "the same",
  "a space in a name": "the same",
  "an empty name": "the same",
  "the right content-length twice": "nghttp2 refuses it; RFC 9110 §8.6 lets a recipient take equal values",
};

/** Whether a request with the oddity is answered, or refused by an error of its stream or of the connection. */
async function isAnswered(address: string, fields: readonly string[]): Promise<boolean> {
  using peer = await RawHttp2.connect(address);
  peer.send(frame(RawType.headers, RawFlag.endHeaders, 1, literalBlock(fields)));
  peer.send(frame(RawType.data, RawFlag.endStream, 1, frameMessage(Buffer.from("four"))));
  const isNews = (each: RawFrame) => isEnd(each) || each.type === RawType.rstStream || each.type === RawType.goaway;
  return isEnd(await peer.next("end", isNews));
}

describe("our server and node:http2", () => {
  let own: Listener;
  const node = createServer();
  node.on("stream", (stream, headers) => void theirs(stream as ServerHttp2Stream, headers));
  node.on("sessionError", () => {});
  let other = "";
  before(async () => {
    own = await listen(ours, { address: "127.0.0.1:0" });
    node.listen(0, "127.0.0.1");
    await once(node, "listening");
    other = `127.0.0.1:${(node.address() as AddressInfo).port}`;
  });
  after(async () => {
    await own[Symbol.asyncDispose]();
    node.close();
  });

  it("answer the same random conversation in the same way", async () => {
    await fc.assert(
      fc.asyncProperty(conversation, async (plan) => {
        const [mine, nodes] = await Promise.all([converse(own.address, plan), converse(other, plan)]);
        deepEqual(mine, nodes);
      }),
      { numRuns: nightly ? 3000 : 100 },
    );
    equal(own.load.calls, 0);
  });

  for (const [name, change] of Object.entries(oddities)) {
    const why = differing[name];
    it(`${why === undefined ? "take or refuse alike" : "differ over"} a request with ${name}`, async () => {
      await fc.assert(
        fc.asyncProperty(metadata, async (more) => {
          const fields = change([...grpcFields("/a.B/Echo"), ...more.flat()]);
          const [mine, nodes] = await Promise.all([isAnswered(own.address, fields), isAnswered(other, fields)]);
          equal(mine === nodes, why === undefined, why ?? "they differ");
        }),
        { numRuns: nightly ? 50 : 3 },
      );
    });
  }
});
