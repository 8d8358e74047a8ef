// Our server as HTTP/2 frames show it, to callers that gRPC libraries are not.
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { once } from "node:events";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
} from "node:http2";
import { after, before, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { depMessages, depPaths, type ServedDep, serveDep } from "../../../testing/src/dep.ts";
import { frameMessage, readMessages } from "../../../testing/src/grpc-frames.ts";
import { defaultMaxMessageBytes } from "./defaults.ts";

interface Answer {
  readonly headers: IncomingHttpHeaders;
  /** The trailers, or the headers when they are all there is. */
  readonly status: IncomingHttpHeaders;
  readonly messages: readonly Buffer[];
  readonly rstCode: number | undefined;
}

function open(session: ClientHttp2Session, path: string, headers: Record<string, string> = {}): ClientHttp2Stream {
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
    ...headers,
  });
  stream.on("error", () => {});
  return stream;
}

/** Reads a call to its end; what was sent before is not half-closed here. */
async function answer(stream: ClientHttp2Stream): Promise<Answer> {
  let trailers: IncomingHttpHeaders | undefined;
  stream.on("trailers", (received) => {
    trailers = received;
  });
  const closed = once(stream, "close");
  const [headers] = (await once(stream, "response")) as [IncomingHttpHeaders];
  const messages = await Array.fromAsync(readMessages(stream));
  await closed;
  return { headers, status: trailers ?? headers, messages, rstCode: stream.rstCode };
}

describe("our gRPC server", () => {
  let served: ServedDep;
  let session: ClientHttp2Session;
  let running = 0;
  let ended = Promise.withResolvers<void>();
  before(async () => {
    served = await serveDep({
      // A name of "wait" never answers and doesn't look at its signal; "flood" goes on sending after the deadline.
      pingPong: async function* (_, { signal }) {
        running++;
        try {
          yield { stroke: 1n };
          await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
        } finally {
          running--;
          ended.resolve();
        }
      },
      call: ({ name }) => (name === "wait" ? new Promise(() => {}) : Promise.resolve({ msg: `Hello ${name}` })),
      stream: async function* ({ count }) {
        for (let n = 0n; n < count; n++) yield { count: n };
        if (count > 0n) return;
        for (let n = 0n; ; n++) {
          yield { count: n };
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
      },
      upload: async (requests) => {
        for await (const { data } of requests) return { id: String(data.length) };
        return { id: "none" };
      },
    });
  });
  before(() => {
    session = connect(`http://${served.server.address}`);
  });
  after(async () => {
    session.destroy();
    await served[Symbol.asyncDispose]();
  });

  it("answers a server stream whose caller never half-closes, and ends it (wire §0.7)", async () => {
    const stream = open(session, depPaths.stream);
    stream.write(frameMessage(depMessages.encode.stream({ count: 3n })));
    const { status, messages, rstCode } = await answer(stream);
    equal(messages.length, 3);
    equal(status["grpc-status"], "0");
    equal(rstCode, constants.NGHTTP2_NO_ERROR);
  });

  it("loses no message of such a stream when its caller reads slowly", async () => {
    const stream = open(session, depPaths.stream);
    stream.write(frameMessage(depMessages.encode.stream({ count: 20_000n })));
    stream.pause();
    await once(stream, "response");
    let count = 0;
    for await (const _ of readMessages(stream))
      if (count++ % 2000 === 0) await new Promise((done) => setTimeout(done, 5));
    equal(count, 20_000);
  });

  it("answers a unary call whose caller never half-closes", async () => {
    const stream = open(session, depPaths.call);
    stream.write(frameMessage(depMessages.encode.call({ name: "Jane" })));
    const { status, messages } = await answer(stream);
    equal(messages.length, 1);
    equal(status["grpc-status"], "0");
  });

  for (const path of ["/Call", "/", "/a.B/C/D", "/a.B/", "//C", "/a.B"]) {
    it(`refuses the path ${path} with status 3 in the original's words`, async () => {
      const stream = open(session, path);
      stream.end(frameMessage(Buffer.alloc(0)));
      const { status } = await answer(stream);
      equal(status[":status"], 200);
      equal(status["grpc-status"], "3");
      equal(status["grpc-message"], `malformed method name: "${path}"`);
    });
  }

  it("looks at the last part of the first segment alone (wire §0.3)", async () => {
    for (const path of ["/Dep/Call", "/dep.Dep/Call", "/any.thing.Dep/Call"]) {
      const stream = open(session, path);
      stream.end(frameMessage(depMessages.encode.call({ name: "Jane" })));
      equal((await answer(stream)).status["grpc-status"], "0", path);
    }
  });

  for (const contentType of ["application/grpc+json", "application/json"]) {
    it(`answers ${contentType} in kind`, async () => {
      const stream = open(session, depPaths.call, { "content-type": contentType });
      stream.end(frameMessage(Buffer.from('{"name":"Jane"}')));
      const { headers, messages } = await answer(stream);
      equal(headers["content-type"], contentType);
      deepEqual(messages.map(String), ['{"msg":"Hello Jane"}']);
    });
  }

  it("refuses a content type it doesn't know, and what isn't gRPC at all", async () => {
    const unknown = open(session, depPaths.call, { "content-type": "application/grpc+xml" });
    unknown.end(frameMessage(Buffer.alloc(0)));
    equal((await answer(unknown)).status["grpc-status"], "12");
    for (const [headers, status] of [
      [{ ":method": "GET" }, 405],
      [{ "content-type": "text/html" }, 415],
    ] as const) {
      const stream = open(session, depPaths.call, headers);
      stream.end();
      const [response] = (await once(stream, "response")) as [IncomingHttpHeaders];
      equal(response[":status"], status);
      match((await stream.toArray()).join(""), /gRPC/);
    }
  });

  it("answers a stream of another protocol, whose caller waits for that before it goes on", {
    timeout: 280_000,
  }, async () => {
    const stream = open(session, depPaths.ping, { "content-type": "application/connect+proto" });
    const [response, closed] = [once(stream, "response"), once(stream.resume(), "close")];
    stream.write(frameMessage(depMessages.encode.ping({ stroke: 1n })));
    const [headers] = await response;
    equal(headers[":status"], 415);
    await closed;
    equal(stream.rstCode, constants.NGHTTP2_NO_ERROR);
  });

  for (const [kind, path, message] of [
    ["unary call", depPaths.call, depMessages.encode.call({ name: "Jane" })],
    ["server stream", depPaths.stream, depMessages.encode.stream({ count: 3n })],
  ] as const) {
    it(`says that a ${kind} came without a message, and adds no details`, async () => {
      const stream = open(session, path);
      stream.end();
      const { status } = await answer(stream);
      equal(status["grpc-status"], "12");
      match(decodeURIComponent(String(status["grpc-message"])), /the call carried no message/);
      equal(status["grpc-status-details-bin"], undefined);
    });

    it(`says that a ${kind} came with more than one message, and adds no details`, async () => {
      const stream = open(session, path);
      const answered = answer(stream);
      stream.write(frameMessage(message));
      stream.end(frameMessage(message));
      const { status } = await answered;
      equal(status["grpc-status"], "12");
      match(decodeURIComponent(String(status["grpc-message"])), /more than one message/);
      equal(status["grpc-status-details-bin"], undefined);
    });
  }

  it("adds no details when it has no such method", async () => {
    const { status } = await answer(open(session, "/dep.Dep/Nope"));
    equal(status["grpc-status"], "12");
    equal(status["grpc-status-details-bin"], undefined);
  });

  for (const [header, value] of [
    ["grpc-timeout", "100m"],
    ["timeout", "100000000"],
  ] as const) {
    it(`ends a call at its ${header}, whatever the handler does`, async () => {
      const stream = open(session, depPaths.call, { [header]: value });
      stream.write(frameMessage(depMessages.encode.call({ name: "wait" })));
      equal((await answer(stream)).status["grpc-status"], "4");
      const flood = open(session, depPaths.stream, { [header]: value });
      flood.write(frameMessage(depMessages.encode.stream({ count: 0n })));
      const { messages, status } = await answer(flood);
      ok(messages.length > 0);
      equal(status["grpc-status"], "4");
    });
  }

  it("answers early to a caller that goes on sending", async () => {
    const stream = open(session, depPaths.upload);
    const message = frameMessage(depMessages.encode.upload({ data: Buffer.alloc(100_000) }));
    let writing = true;
    const write = () => {
      while (writing && !stream.destroyed && stream.write(message));
    };
    stream.on("drain", write).on("close", () => {
      writing = false;
    });
    write();
    const { status, messages } = await answer(stream);
    equal(messages.length, 1);
    equal(status["grpc-status"], "0");
  });

  it("refuses messages that break the rules, and the connection goes on (PX-03)", async () => {
    const compressed = frameMessage(Buffer.from("x"));
    compressed[0] = 1;
    const bomb = frameMessage(gzipSync(Buffer.alloc(defaultMaxMessageBytes + 1)));
    bomb[0] = 1;
    const long = Buffer.from([0, 0xff, 0xff, 0xff, 0xff]);
    for (const [bytes, encoding, code] of [
      [compressed, "identity", "13"],
      [compressed, "gzip", "13"],
      [compressed, "snappy", "12"],
      [bomb, "gzip", "8"],
      [long, "identity", "8"],
      [Buffer.from([2, 0, 0, 0, 0]), "identity", "13"],
    ] as const) {
      const stream = open(session, depPaths.call, { "grpc-encoding": encoding });
      stream.end(bytes);
      equal((await answer(stream)).status["grpc-status"], code);
    }
  });

  for (const [how, leave] of [
    ["resets its stream", (stream: ClientHttp2Stream) => stream.close(constants.NGHTTP2_CANCEL)],
    ["drops its connection", (_: ClientHttp2Stream, own: ClientHttp2Session) => own.destroy()],
  ] as const) {
    it(`leaves nothing open of a caller that ${how}`, async () => {
      ended = Promise.withResolvers();
      const own = connect(`http://${served.server.address}`);
      own.on("error", () => {});
      const stream = open(own, depPaths.ping);
      await once(stream, "data");
      equal(running, 1);
      leave(stream, own);
      await ended.promise;
      equal(running, 0);
      own.destroy();
    });
  }
});

describe("closing our gRPC server", () => {
  it("lets running calls finish within the grace, and takes no new ones", async () => {
    const [began, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    await using served = await serveDep({
      call: async () => {
        began.resolve();
        await go.promise;
        return { msg: "done" };
      },
    });
    const session = connect(`http://${served.server.address}`);
    const stream = open(session, depPaths.call);
    stream.end(frameMessage(Buffer.alloc(0)));
    const answered = answer(stream);
    await began.promise;
    const away = once(session, "goaway");
    const closed = served.server.close(10_000);
    const [code] = await away;
    equal(code, constants.NGHTTP2_NO_ERROR);
    const late = connect(`http://${served.server.address}`);
    equal((await once(late, "error"))[0].code, "ECONNREFUSED");
    go.resolve();
    const { messages, status } = await answered;
    equal(messages.length, 1);
    equal(status["grpc-status"], "0");
    await closed;
  });

  it("doesn't wait for calls that were answered before their caller had said everything", async () => {
    await using served = await serveDep();
    const session = connect(`http://${served.server.address}`);
    for (const path of [depPaths.call, depPaths.upload.replace("Upload", "Nope")]) {
      const stream = open(session, path);
      for (let n = 0; n < 50; n++) stream.write(frameMessage(Buffer.alloc(2000)));
      await answer(stream);
    }
    const began = performance.now();
    await served.server.close(10_000);
    ok(performance.now() - began < 5000);
  });

  it("cuts what is still running after the grace", async () => {
    const began = Promise.withResolvers<void>();
    await using served = await serveDep({
      call: () => {
        began.resolve();
        return new Promise(() => {});
      },
    });
    const session = connect(`http://${served.server.address}`);
    session.on("error", () => {});
    const stream = open(session, depPaths.call);
    stream.write(frameMessage(Buffer.alloc(0)));
    const cut = new Promise((resolve) => stream.on("close", resolve));
    await began.promise;
    await served.server.close(50);
    await cut;
  });
});
