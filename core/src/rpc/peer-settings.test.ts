// What the other side asks for in its SETTINGS (RFC 9113 §6.5.2), with node:http2 as the other side.
import { equal, ok, rejects } from "node:assert/strict";
import { once } from "node:events";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  createServer,
  type Http2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type Settings,
} from "node:http2";
import type { AddressInfo } from "node:net";
import { describe, it } from "node:test";
import { callText, echo, status } from "../../../testing/src/calls.ts";
import { frameMessage, readMessages } from "../../../testing/src/grpc-frames.ts";
import { RawHttp2 } from "../../../testing/src/raw-http2.ts";
import { frame, grpcRequest, RawFlag, RawType, uint32 } from "../../../testing/src/raw-http2-frames.ts";
import { GrpcStatus } from "../errors.ts";
import { type CallHandler, Connections, listen } from "./index.ts";

/** SETTINGS_INITIAL_WINDOW_SIZE. */
const initialWindow = 4;

/** A message in which every byte tells its place. */
const numbered = (length: number) => Buffer.from(Uint32Array.from({ length: length / 4 }, (_, n) => n).buffer);

describe("our server honours what a client asks for", () => {
  const large = numbered(400_000);
  const answering: CallHandler = async (call) => {
    await call.read();
    await call.send(large);
  };

  async function open(settings: Settings, handler: CallHandler = answering) {
    const server = await listen(handler, { address: "127.0.0.1:0" });
    const session: ClientHttp2Session = connect(`http://${server.address}`, { settings });
    session.on("error", () => {});
    return {
      session,
      call(headers: Record<string, string> = {}): ClientHttp2Stream {
        const stream = session.request({
          ":method": "POST",
          ":path": "/a.B/C",
          "content-type": "application/grpc",
          ...headers,
        });
        stream.end(frameMessage(Buffer.from("hello")));
        return stream;
      },
      async [Symbol.asyncDispose]() {
        session.destroy();
        await server.close(0);
      },
    };
  }

  it("a header table of 0 bytes, from the first answer on", async () => {
    await using client = await open({ headerTableSize: 0 }, async (call) => {
      call.sendHeaders({ "x-one": "a value that would be indexed", "x-two": call.metadata["x-two"] ?? "" });
      await echo(call);
    });
    for (let n = 0; n < 20; n++) {
      const stream = client.call({ "x-two": `value ${n % 3}` });
      const [headers] = await once(stream, "response");
      equal(headers["x-one"], "a value that would be indexed");
      equal(headers["x-two"], `value ${n % 3}`);
      await Array.fromAsync(readMessages(stream));
    }
  });

  it("a header table that shrinks and grows between calls", async () => {
    await using client = await open({}, async (call) => {
      call.sendHeaders({ "x-one": "the same each time", "x-two": call.metadata["x-two"] ?? "" });
      await echo(call);
    });
    for (let n = 0; n < 12; n++) {
      await new Promise((resolve) =>
        client.session.settings({ headerTableSize: [0, 4096, 60][n % 3] as number }, resolve),
      );
      const stream = client.call({ "x-two": `value ${n}` });
      const [headers] = await once(stream, "response");
      equal(headers["x-two"], `value ${n}`);
      await Array.fromAsync(readMessages(stream));
    }
  });

  for (const [initialWindowSize, bytes] of [
    [1, 400],
    [100, 40_000],
    [1000, 400_000],
    [16_383, 400_000],
    [2 ** 31 - 1, 400_000],
  ] as const)
    it(`a window of ${initialWindowSize} bytes`, async () => {
      const message = large.subarray(0, bytes);
      await using client = await open({ initialWindowSize }, async (call) => {
        await call.read();
        await call.send(message);
      });
      const messages = await Array.fromAsync(readMessages(client.call()));
      equal(messages.length, 1);
      ok(message.equals(messages[0] as Buffer));
    });

  it("frames of at most 16 KiB", async () => {
    await using client = await open({ maxFrameSize: 16_384 });
    const sizes: number[] = [];
    const stream = client.call();
    stream.on("data", (chunk: Buffer) => sizes.push(chunk.length));
    await once(stream, "end");
    ok(sizes.every((size) => size <= 16_384));
    equal(
      sizes.reduce((sum, size) => sum + size),
      large.length + 5,
    );
  });

  it("a window that opens, sinks below what was sent, and opens again in the middle of an answer (RFC 9113 §6.9.2)", async () => {
    const message = numbered(4000);
    await using server = await listen(async (call) => void (await call.send(message)), { address: "127.0.0.1:0" });
    using peer = await RawHttp2.connect(server.address, { settings: [initialWindow, 0] });
    peer.send(grpcRequest(1, "/a.B/C"));
    await peer.headers(1);
    const data = () =>
      Buffer.concat(peer.frames.filter(({ type }) => type === RawType.data).map((each) => each.payload));
    /** What has come once the server has read all that was sent to it. */
    const received = async () => {
      peer.send(frame(RawType.ping, 0, 0, Buffer.from("all read")));
      await peer.next("PING", ({ type, flags }) => type === RawType.ping && (flags & RawFlag.ack) !== 0);
      return data().length;
    };
    const setWindow = (bytes: number) => {
      const payload = Buffer.alloc(6);
      payload.writeUInt16BE(initialWindow, 0);
      payload.writeUInt32BE(bytes, 2);
      peer.send(frame(RawType.settings, 0, 0, payload));
    };
    equal(await received(), 0);
    setWindow(1000);
    equal(await received(), 1000);
    setWindow(500);
    // The window is at -500 now: 400 don't open it, 200 more do by 100.
    for (const [increment, total] of [
      [400, 1000],
      [200, 1100],
    ] as const) {
      peer.send(frame(RawType.windowUpdate, 0, 1, uint32(increment)));
      equal(await received(), total);
    }
    setWindow(600);
    equal(await received(), 1200);
    setWindow(100_000);
    await peer.headers(1);
    ok(data().subarray(5).equals(message));
  });
});

describe("our client honours what a server asks for", () => {
  /** Echoes at once what comes; `seen` counts the calls. */
  async function serve(settings: Settings, onSession: (session: ServerHttp2Session) => void = () => {}) {
    const server: Http2Server = createServer({ settings });
    const seen = { calls: 0, refused: 0 };
    server.on("session", (session) => {
      session.on("error", () => {});
      onSession(session);
    });
    server.on("stream", async (stream: ServerHttp2Stream, headers) => {
      seen.calls++;
      stream.on("error", () => {});
      stream.respond(
        { ":status": 200, "content-type": "application/grpc", "x-two": headers["x-two"] },
        { waitForTrailers: true },
      );
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.pipe(stream);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const connections = new Connections({ maxConnectionsPerNode: 1 });
    return {
      address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
      connections,
      seen,
      async [Symbol.asyncDispose]() {
        await connections[Symbol.asyncDispose]();
        await new Promise((resolve) => server.close(resolve));
      },
    };
  }

  it("a header table of 0 bytes", async () => {
    await using server = await serve({ headerTableSize: 0 });
    for (let n = 0; n < 10; n++)
      equal(
        await callText(server.connections, server.address, {
          metadata: { "x-one": "a value that would be indexed", "x-two": `value ${n % 3}` },
        }),
        "hello",
      );
  });

  for (const initialWindowSize of [1, 100, 16_383])
    it(`a window of ${initialWindowSize} bytes`, async () => {
      await using server = await serve({ initialWindowSize });
      const message = "0123456789".repeat(initialWindowSize === 1 ? 20 : 20_000);
      equal(await callText(server.connections, server.address, { message }), message);
    });

  it("one call at a time, from the first moment on: none is sent to be refused", async () => {
    await using server = await serve({ maxConcurrentStreams: 1 });
    const all = Array.from({ length: 50 }, (_, n) => callText(server.connections, server.address, { message: `${n}` }));
    equal((await Promise.all(all)).join(), Array.from({ length: 50 }, (_, n) => n).join());
    equal(server.seen.calls, 50);
  });

  it("no more calls than it takes later on", async () => {
    let session: ServerHttp2Session | undefined;
    await using server = await serve({ maxConcurrentStreams: 100 }, (opened) => {
      session = opened;
    });
    await callText(server.connections, server.address);
    await new Promise<void>((resolve) => session?.settings({ maxConcurrentStreams: 2 }, () => resolve()));
    await Promise.all(Array.from({ length: 20 }, () => callText(server.connections, server.address)));
    equal(server.seen.calls, 21);
  });

  it("headers of a limited size: a larger call fails before it is sent, and says so", async () => {
    await using server = await serve({ maxHeaderListSize: 1000 });
    await rejects(
      callText(server.connections, server.address, { metadata: { "x-long": "x".repeat(1000) } }),
      status(GrpcStatus.resourceExhausted, /over the 1000 bytes that the server takes .*send less/),
    );
    equal(server.seen.calls, 0);
    equal(await callText(server.connections, server.address), "hello");
  });
});
