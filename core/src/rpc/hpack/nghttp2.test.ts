// Against an independent implementation, the nghttp2 of node:http2: our blocks to its decoder, and its blocks to ours.
import { deepEqual, ok } from "node:assert/strict";
import { on, once } from "node:events";
import { createServer, type ServerHttp2Session, type ServerHttp2Stream, sensitiveHeaders } from "node:http2";
import { type AddressInfo, Socket } from "node:net";
import { describe, it } from "node:test";
import fc from "fast-check";
import { HpackDecoder, HpackEncoder } from "./index.ts";
import { staticTable } from "./static-table.ts";

const type = { headers: 1, settings: 4, goAway: 7, continuation: 9 };
const endHeaders = 4;
const endStream = 1;
const acknowledged = 1;
const headerTableSize = 1;
const maxFrameBytes = 16_384;

interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

async function* readFrames(socket: Socket): AsyncGenerator<Frame, undefined, undefined> {
  let bytes = Buffer.alloc(0);
  for await (const chunk of socket) {
    bytes = Buffer.concat([bytes, chunk]);
    while (bytes.length >= 9 && bytes.length >= 9 + bytes.readUIntBE(0, 3)) {
      const end = 9 + bytes.readUIntBE(0, 3);
      const [type = 0, flags = 0] = bytes.subarray(3, 5);
      yield { type, flags, stream: bytes.readUInt32BE(5), payload: bytes.subarray(9, end) };
      bytes = bytes.subarray(end);
    }
  }
}

type List = readonly string[];

function tableSize(bytes: number): Buffer {
  const setting = Buffer.alloc(6);
  setting.writeUInt16BE(headerTableSize);
  setting.writeUInt32BE(bytes, 2);
  return setting;
}

/** A connection of ours to a server of node:http2. */
class Peers implements AsyncDisposable {
  readonly #decoder: HpackDecoder;
  readonly #encoder = new HpackEncoder(65_536);
  readonly #server = createServer({ maxDeflateDynamicTableSize: 16_384, strictSingleValueFields: false });
  readonly #streams = on(this.#server, "stream");
  readonly #failed = once(this.#server, "sessionError").then(([error]) => Promise.reject(error));
  readonly #session = once(this.#server, "session") as Promise<[ServerHttp2Session]>;
  readonly #socket = new Socket();
  readonly #frames = readFrames(this.#socket);
  #lastStream = -1;

  /** `tableBytes` is what we allow the server's encoder, of the 16 KiB that it is ready to use. */
  constructor(tableBytes: number) {
    this.#decoder = new HpackDecoder(tableBytes);
    this.#failed.catch(() => {});
  }

  static async open(tableBytes: number): Promise<Peers> {
    const peers = new Peers(tableBytes);
    await once(peers.#server.listen(0, "127.0.0.1"), "listening");
    peers.#socket.connect((peers.#server.address() as AddressInfo).port, "127.0.0.1");
    peers.#socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    peers.#socket.write(frame(type.settings, 0, 0, tableSize(tableBytes)));
    await peers.#settings();
    return peers;
  }

  /** Sends a list through our encoder. Resolves with what nghttp2 has decoded, and with the stream to answer. */
  async request(list: List): Promise<{ received: List; stream: ServerHttp2Stream }> {
    const target = Buffer.alloc(65_536);
    let at = this.#encoder.begin(target, 0);
    for (let i = 0; i < list.length; i += 2) at = this.#encoder.write(target, at, list[i] ?? "", list[i + 1] ?? "");
    this.#lastStream += 2;
    for (let from = 0; from === 0 || from < at; from += maxFrameBytes) {
      const flags = (from === 0 ? endStream : 0) | (from + maxFrameBytes >= at ? endHeaders : 0);
      const payload = target.subarray(from, Math.min(at, from + maxFrameBytes));
      this.#socket.write(frame(from === 0 ? type.headers : type.continuation, flags, this.#lastStream, payload));
    }
    const { value } = await Promise.race([this.#streams.next(), this.#failed]);
    const [stream, , , received] = value as [ServerHttp2Stream, unknown, unknown, string[]];
    return { received, stream };
  }

  /** Has nghttp2 encode an answer. Resolves with what we have decoded. */
  async respond(stream: ServerHttp2Stream, list: List, secret: readonly string[]): Promise<List> {
    stream.respond(Object.assign([...list], { [sensitiveHeaders]: secret }), { endStream: true });
    const block: Buffer[] = [];
    for (;;) {
      const { type: found, flags, payload } = await this.#next();
      if (found !== type.headers && found !== type.continuation) continue;
      block.push(payload);
      if ((flags & endHeaders) === 0) continue;
      const bytes = Buffer.concat(block);
      return this.#decoder.decode(bytes, 0, bytes.length, 1e6, 1e4) ?? [];
    }
  }

  /** The server announces these sizes of table one after the other, and we honour all of them before the next block. */
  async allow(sizes: readonly number[]): Promise<void> {
    const [session] = await this.#session;
    for (const size of sizes) session.settings({ headerTableSize: size });
    for (const size of sizes) {
      ok((await this.#settings()).includes(tableSize(size)));
      this.#encoder.setPeerTableBytes(size);
    }
  }

  /** The next settings of the server, which are acknowledged. */
  async #settings(): Promise<Buffer> {
    for (;;) {
      const { type: found, flags, payload } = await this.#next();
      if (found !== type.settings || (flags & acknowledged) !== 0) continue;
      this.#socket.write(frame(type.settings, acknowledged, 0, Buffer.alloc(0)));
      return payload;
    }
  }

  async #next(): Promise<Frame> {
    const { value } = await this.#frames.next();
    ok(value, "the server has closed the connection");
    ok(value.type !== type.goAway, `the server has ended the connection: ${value.payload.toString("hex")}`);
    return value;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }
}

const lower = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
const octets = Array.from({ length: 256 }, (_, octet) => octet).filter((octet) => octet >= 0x20 && octet !== 0x7f);

const text = (characters: string, maxLength: number) =>
  fc.string({ unit: fc.constantFrom(...characters), minLength: 1, maxLength });
const name = fc.oneof(
  fc.constantFrom(
    "user-agent",
    "authorization",
    "x-one",
    "x-two",
    "micro-namespace",
    "accept-language",
    "grpc-timeout",
  ),
  text(lower, 20).map((end) => `x-${end}`),
);
const value = fc.oneof(
  fc.constantFrom("", "one", "two", "three"),
  text(`${lower} ABC=;,/"`, 40).map((value) => value.trim()),
  text(String.fromCharCode(...octets), 100).map((value) => `a${value}z`),
  fc.integer({ min: 100, max: 3000 }).map((length) => "long".repeat(length / 4)),
);
const fields = fc.array(fc.tuple(name, value), { maxLength: 12 }).map((fields) => fields.flat());
const path = fc.oneof(
  fc.constantFrom("/", "/index.html", "/a", "/b"),
  text(lower, 30).map((path) => `/${path}`),
);
const call = fc.record({
  sizes: fc.oneof(
    { weight: 3, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.array(fc.oneof(fc.constantFrom(0, 64, 4096), fc.nat(20_000)), { maxLength: 3 }) },
  ),
  path,
  request: fields,
  response: fields,
  secret: fc.subarray(["authorization", "x-one"]),
});

describe("nghttp2 and we", () => {
  it("decode each other's blocks over many calls with tables of any size", { timeout: 280_000 }, async () => {
    const tableBytes = fc.constantFrom(0, 100, 4096, 16_384);
    await fc.assert(
      fc.asyncProperty(fc.array(call, { minLength: 1, maxLength: 30 }), tableBytes, async (calls, tableBytes) => {
        await using peers = await Peers.open(tableBytes);
        for (const { sizes, path, request, response, secret } of calls) {
          await peers.allow(sizes);
          const sent = [":method", "GET", ":scheme", "http", ":authority", "localhost", ":path", path, ...request];
          const { received, stream } = await peers.request(sent);
          deepEqual(received, sent);
          const answer = [":status", "200", ...response, "date", "today"];
          deepEqual(await peers.respond(stream, answer, secret), answer);
        }
      }),
      { numRuns: 40 },
    );
  });

  it("have the same static table", { timeout: 280_000 }, async () => {
    await using peers = await Peers.open(4096);
    const fields = staticTable.flatMap((field) => (field === undefined ? [] : [field]));
    const values = (name: string) => fields.filter((field) => field.name === name).map(({ value }) => value);
    // nghttp2 checks the meaning of these; decoder.test.ts has them.
    const special = ["content-length", "host", "transfer-encoding"];
    const common = fields.filter(({ name }) => !name.startsWith(":") && !special.includes(name));
    const list = common.flatMap(({ name, value }) => [name, value, name, "1"]);
    for (const [index, status] of ["200", "204", "206", "304", "400", "404", "500"].entries()) {
      const method = values(":method")[index % 2] ?? "";
      const scheme = values(":scheme")[index % 2] ?? "";
      const path = values(":path")[index % 2] ?? "";
      const sent = [":method", method, ":scheme", scheme, ":authority", "localhost", ":path", path, ...list];
      const { received, stream } = await peers.request(sent);
      deepEqual(received, sent);
      const answer = [":status", status, ...list];
      deepEqual(await peers.respond(stream, answer, []), answer);
    }
  });

  it("have the same Huffman code for each octet that a value may have", { timeout: 280_000 }, async () => {
    await using peers = await Peers.open(4096);
    const head = [":method", "GET", ":scheme", "http", ":authority", "localhost", ":path", "/"];
    for (const octet of octets) {
      // Enough short codes that the Huffman coded value is the shorter one even with the longest code in it.
      const value = `${"a".repeat(20)}${String.fromCharCode(octet)}${"a".repeat(20)}`;
      const { received, stream } = await peers.request([...head, "user-agent", value]);
      deepEqual(received, [...head, "user-agent", value]);
      const answer = [":status", "200", "server", value, "date", "today"];
      deepEqual(await peers.respond(stream, answer, []), answer);
    }
  });
});
