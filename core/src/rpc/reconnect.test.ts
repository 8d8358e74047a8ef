// Connecting, connecting again, and what becomes of the calls meanwhile.
import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import dns from "node:dns";
import { once } from "node:events";
import { createServer as createHttp2Server, type Http2Server, type ServerHttp2Stream } from "node:http2";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { describe, it, mock } from "node:test";
import { fileURLToPath } from "node:url";
import { callText, echo, status } from "../../../testing/src/calls.ts";
import { Child } from "../../../testing/src/child.ts";
import { frameMessage } from "../../../testing/src/grpc-frames.ts";
import { keptAddress } from "../../../testing/src/kept-address.ts";
import { LoopClock } from "../../../testing/src/loop-clock.ts";
import { until } from "../../../testing/src/until.ts";
import { GrpcStatus } from "../errors.ts";
import { Connections, listen } from "./index.ts";

/** Any server on a loopback port, closed with all its sockets. */
async function serving<T extends Server | Http2Server>(server: T) {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    server,
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    sockets,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function answer(stream: ServerHttp2Stream, text: string): void {
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  stream.end(frameMessage(Buffer.from(text)));
}

describe("a call when nobody listens", () => {
  it("fails at once with UNAVAILABLE", async () => {
    await using connections = new Connections();
    const address = await keptAddress();
    const since = Date.now();
    await rejects(
      callText(connections, address),
      status(GrpcStatus.unavailable, /^nothing listens on 127\.0\.0\.1:\d+ \(connection refused\)$/),
    );
    // Within the wait before the next attempt it fails without one.
    await rejects(callText(connections, address), status(GrpcStatus.unavailable, /nothing listens/));
    ok(Date.now() - since < 2000);
  });

  it("that waits for ready is answered once somebody does", async () => {
    await using connections = new Connections();
    const address = await keptAddress();
    const call = callText(connections, address, { waitForReady: true });
    // One that doesn't wait shows that the first attempt has failed.
    await rejects(callText(connections, address), status(GrpcStatus.unavailable));
    await using _ = await listen(echo, { address });
    equal(await call, "hello");
  });

  it("that waits for ready ends at its deadline and when it is cancelled", async () => {
    await using connections = new Connections();
    const address = await keptAddress();
    const abort = new AbortController();
    const cancelled = callText(connections, address, { waitForReady: true, signal: abort.signal });
    const late = callText(connections, address, { waitForReady: true, timeoutMs: 150 });
    await rejects(late, status(GrpcStatus.deadlineExceeded));
    abort.abort();
    await rejects(cancelled, status(GrpcStatus.cancelled));
  });
});

describe("connecting", () => {
  it("is tried again after waits that grow by 1.6, give or take a fifth (gRPC connection-backoff.md)", async () => {
    const at: number[] = [];
    const enough = new AbortController();
    await using server = await serving(
      createServer((socket) => {
        at.push(performance.now());
        socket.destroy();
        if (at.length === 6) enough.abort();
      }),
    );
    await using connections = new Connections();
    using clock = new LoopClock();
    await rejects(
      callText(connections, server.address, { waitForReady: true, signal: enough.signal }),
      status(GrpcStatus.cancelled),
    );
    ok(clock.ms < 1500, `six attempts took ${clock.ms} ms`);
    const waits = at.slice(1).map((time, n) => time - (at[n] as number));
    waits.forEach((wait, n) => {
      // A timer is early by no more than this, and late by what the machine has to do otherwise.
      ok(wait >= 0.8 * 50 * 1.6 ** n - 2, `wait ${n} took only ${wait} ms`);
    });
  });

  it("isn't hurried to a server that sends every connection away", async () => {
    let sessions = 0;
    const away = createHttp2Server();
    away.on("session", (session) => {
      sessions++;
      session.on("error", () => {});
      session.goaway();
      session.close();
    });
    await using server = await serving(away);
    await using connections = new Connections();
    const sinceMs = performance.now();
    const tookMs = () => performance.now() - sinceMs;
    while (tookMs() < 700 || sessions < 2)
      await rejects(
        callText(connections, server.address, { waitForReady: true }),
        status(GrpcStatus.unavailable, /is going away/),
      );
    ok(sessions < tookMs() / 70, `${sessions} connections in ${tookMs()} ms`);
  });

  it("gives up on a port that never says a word", async () => {
    await using server = await serving(createServer((socket) => void socket.resume()));
    await using connections = new Connections({ connectTimeoutMs: 1000 });
    await rejects(
      callText(connections, server.address),
      status(GrpcStatus.unavailable, /^can't connect to 127\.0\.0\.1:\d+: no HTTP\/2 SETTINGS within 1000 ms$/),
    );
    await until(
      async () => server.sockets.size,
      (open) => open === 0,
    );
  });

  it("ends for a call at its deadline, and when it is cancelled", async () => {
    await using server = await serving(createServer());
    await using connections = new Connections();
    const abort = new AbortController();
    const cancelled = callText(connections, server.address, { signal: abort.signal });
    await once(server.server, "connection");
    abort.abort();
    await rejects(cancelled, status(GrpcStatus.cancelled));
    await rejects(callText(connections, server.address, { timeoutMs: 50 }), status(GrpcStatus.deadlineExceeded));
  });

  it("keeps no process alive when no call waits for it", async () => {
    await using server = await serving(createServer());
    const index = new URL("index.ts", import.meta.url);
    const script = `
      const { Connections } = await import("${index}");
      const start = { path: "/a.B/C", contentType: "application/grpc", metadata: {}, deadline: new Date(Date.now() + 100) };
      await new Connections({ connectTimeoutMs: 60_000 }).unary(process.argv[1], start, Buffer.alloc(0), undefined, (status) => status).catch((status) => console.log(status.code));`;
    await using child = new Child("--input-type=module", ["-e", script, server.address], {
      cwd: fileURLToPath(new URL(".", import.meta.url)),
      env: {},
    });
    await child.saying(/^4$/m);
    const { code, stderr } = await child.within(20_000);
    equal(code, 0, stderr);
  });

  it("tries each address of a name, IPv6 and IPv4", async () => {
    await using server = await listen(echo, { address: "127.0.0.1:0" });
    const addresses = [
      { address: "::1", family: 6 },
      { address: "127.0.0.3", family: 4 },
      { address: "127.0.0.1", family: 4 },
    ];
    // Stands for the machine's resolver alone: it can't be told to know a name.
    const lookup = mock.method(dns, "lookup", ((_: string, __: object, tell: (e: null, all: object[]) => void) =>
      setImmediate(tell, null, addresses)) as unknown as typeof dns.lookup);
    try {
      await using connections = new Connections();
      equal(await callText(connections, `several.test:${server.port}`), "hello");
      await rejects(
        callText(connections, (await keptAddress()).replace("127.0.0.1", "several.test")),
        status(GrpcStatus.unavailable, /nothing listens on several\.test:/),
      );
    } finally {
      lookup.mock.restore();
    }
  });

  it("says which name has no address", async () => {
    await using connections = new Connections();
    await rejects(
      callText(connections, "nowhere.invalid:1"),
      status(
        GrpcStatus.unavailable,
        /^can't connect to nowhere\.invalid:1: the name nowhere\.invalid has no address \(E/,
      ),
    );
  });
});

describe("a call that the server did nothing with", () => {
  it("is sent again, whole, as it was when it was sent (gRPC A6)", async () => {
    const bodies: string[] = [];
    const fussy = createHttp2Server();
    fussy.on("stream", async (stream: ServerHttp2Stream) => {
      stream.on("error", () => {});
      const body = Buffer.concat(await stream.toArray()).toString();
      bodies.push(body);
      if (bodies.length === 1) stream.close(7 /* REFUSED_STREAM */);
      else answer(stream, "taken");
    });
    await using server = await serving(fussy);
    await using connections = new Connections();
    const call = connections.open(
      server.address,
      { path: "/a.B/C", contentType: "application/grpc", metadata: {}, deadline: undefined },
      undefined,
    );
    const buffer = Buffer.alloc(3);
    for (const text of ["one", "two"]) {
      buffer.write(text);
      await call.send(buffer);
    }
    buffer.fill("x");
    call.end();
    equal(Buffer.from((await call.read()) ?? []).toString(), "taken");
    equal((await call.status).code, GrpcStatus.ok);
    equal(bodies.length, 2);
    equal(bodies[0], bodies[1]);
  });

  it("is sent again on another connection when a GOAWAY doesn't cover it (RFC 9113 §6.8)", async () => {
    const seen: string[] = [];
    let sessions = 0;
    const leaving = createHttp2Server();
    leaving.on("session", () => sessions++);
    leaving.on("stream", async (stream: ServerHttp2Stream) => {
      stream.on("error", () => {});
      const isFirst = sessions === 1;
      const text = Buffer.concat(await stream.toArray())
        .subarray(5)
        .toString();
      seen.push(`${sessions}: ${text}`);
      if (!isFirst) answer(stream, text);
      else if (text === "one") {
        await goneAway.promise;
        answer(stream, text);
      } else {
        stream.session?.goaway(0, 1);
        goneAway.resolve();
      }
    });
    const goneAway = Promise.withResolvers<void>();
    await using server = await serving(leaving);
    await using connections = new Connections();
    const one = callText(connections, server.address, { message: "one" });
    await until(
      async () => seen.length,
      (count) => count === 1,
    );
    const two = callText(connections, server.address, { message: "two" });
    deepEqual(await Promise.all([one, two]), ["one", "two"]);
    deepEqual(seen, ["1: one", "1: two", "2: two"]);
  });

  it("is given up after three times", async () => {
    let count = 0;
    const refusing = createHttp2Server();
    refusing.on("stream", (stream) => {
      count++;
      stream.on("error", () => {});
      stream.close(7 /* REFUSED_STREAM */);
    });
    await using server = await serving(refusing);
    await using connections = new Connections();
    await rejects(callText(connections, server.address), status(GrpcStatus.unavailable, /REFUSED_STREAM/));
    equal(count, 3);
  });

  it("isn't lost when a server is restarted twenty times under load", async () => {
    const processed = new Map<string, number>();
    const handler: typeof echo = async (call) => {
      const message = (await call.read()) ?? Buffer.alloc(0);
      const text = Buffer.from(message).toString();
      processed.set(text, (processed.get(text) ?? 0) + 1);
      // Some calls are open when the server goes.
      if (Math.random() < 0.2) await new Promise((resolve) => setTimeout(resolve, 10));
      await call.send(message);
    };
    let server = await listen(handler, { address: "127.0.0.1:0" });
    const { address } = server;
    await using connections = new Connections();
    const stop = new AbortController();
    let answered = 0;
    const caller = async (_: unknown, n: number) => {
      for (let i = 0; !stop.signal.aborted; i++) {
        const message = `${n}/${i}`;
        equal(await callText(connections, address, { message, waitForReady: true }), message);
        answered++;
      }
    };
    const load = Promise.all(Array.from({ length: 32 }, caller));
    const closings: Promise<void>[] = [];
    try {
      for (let restart = 0; restart < 20; restart++) {
        const before = answered;
        while (answered < before + 100) await Promise.race([load, new Promise((resolve) => setTimeout(resolve, 5))]);
        closings.push(server.close(10_000));
        server = await listen(handler, { address });
      }
    } finally {
      stop.abort();
      await load.finally(() => server.close(1000));
    }
    await Promise.all(closings);
    equal(processed.size, answered);
    ok([...processed.values()].every((times) => times === 1));
  });
});

describe("a server that dies in the middle of a call", () => {
  it("ends the call with UNAVAILABLE, and calls go on with the next server", async () => {
    const index = new URL("index.ts", import.meta.url);
    const script = `
      const { listen } = await import("${index}");
      const server = await listen(async (call) => {
        const message = await call.read();
        if (message.length === 0) { console.log("began"); await new Promise((resolve) => setTimeout(resolve, 60_000)); }
        await call.send(message);
      }, { address: process.argv[1] });
      console.log("on " + server.address + ";");`;
    const start = (address: string) =>
      new Child("--input-type=module", ["-e", script, address], {
        cwd: fileURLToPath(new URL(".", import.meta.url)),
        env: {},
      });
    await using connections = new Connections();
    await using first = start("127.0.0.1:0");
    const address = (await first.saying(/on (.*);/))[1] as string;
    equal(await callText(connections, address), "hello");
    const lost = rejects(
      callText(connections, address, { message: "" }),
      status(GrpcStatus.unavailable, /^lost the connection to 127\.0\.0\.1:\d+: /),
    );
    await first.saying(/began/);
    await first.end("SIGKILL");
    await lost;
    const waiting = callText(connections, address, { waitForReady: true });
    await using second = start(address);
    await second.saying(/on /);
    equal(await waiting, "hello");
  });
});
