// What only HTTP/1.1 has: bytes that tell it from HTTP/2, one request after the other, and the limits of its own.
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { once } from "node:events";
import type { Socket } from "node:net";
import { after, before, describe, it } from "node:test";
import { depMessages, depPaths, type ServedDep, serveDep } from "../../../../testing/src/dep.ts";
import { frameMessage } from "../../../../testing/src/grpc-frames.ts";
import { openHttp1, webCall } from "../../../../testing/src/grpc-web.ts";
import { open, parseAnswers, sendRaw } from "../../../../testing/src/raw-http.ts";
import { until } from "../../../../testing/src/until.ts";
import { type CallHandler, listen } from "../index.ts";

const { encode, decode } = depMessages;

/** A call's request as its bytes. */
function requestOf(name: string, headers = ""): Buffer {
  const body = frameMessage(encode.call({ name }));
  const head = `POST ${depPaths.call} HTTP/1.1\r\nHost: x\r\nContent-Type: application/grpc-web\r\n${headers}Content-Length: ${body.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), body]);
}

/** Writes each piece on its own, the next when the one before is on its way. */
async function drip(socket: Socket, pieces: Iterable<Uint8Array>): Promise<void> {
  socket.setNoDelay(true);
  for (const piece of pieces) {
    await new Promise<void>((resolve) => socket.write(piece, () => setImmediate(resolve)));
  }
}

function bytesOf(bytes: Uint8Array): Uint8Array[] {
  return Array.from(bytes, (_, n) => bytes.subarray(n, n + 1));
}

/** What the connection brings until it is closed. */
async function readAll(socket: Socket): Promise<string> {
  let text = "";
  socket.on("data", (chunk) => {
    text += chunk.toString("latin1");
  });
  socket.on("error", () => {});
  if (!socket.closed) await once(socket, "close");
  return text;
}

describe("our port over HTTP/1.1", () => {
  let served: ServedDep;
  let running = 0;
  let release = Promise.withResolvers<void>();
  const limits = { stallMs: 1500, maxHeaderListBytes: 8192, maxHeaderFields: 50 };
  before(async () => {
    served = await serveDep(
      {
        call: async ({ name }) => {
          running++;
          if (name === "wait") await release.promise;
          running--;
          return { msg: `Hello ${name}` };
        },
        upload: async (requests) => {
          await release.promise;
          let bytes = 0;
          for await (const { data } of requests) bytes += data.length;
          return { id: String(bytes) };
        },
      },
      undefined,
      { limits },
    );
  });
  after(() => served[Symbol.asyncDispose]());

  it("is told from HTTP/2 by its first bytes, one by one, and loses none of them", async () => {
    const socket = open(served.server.address);
    await drip(socket, bytesOf(requestOf("Jane", "Connection: close\r\n")));
    const [answer] = parseAnswers(await readAll(socket));
    equal(answer?.status, 200);
    match(answer?.body ?? "", /Hello Jane.*grpc-status: 0/s);
  });

  it("takes HTTP/2's preface one byte at a time, and answers with SETTINGS", async () => {
    const socket = open(served.server.address);
    const preface = Buffer.concat([
      Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
      Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
    ]);
    await drip(socket, bytesOf(preface));
    const [chunk] = (await once(socket, "data")) as [Buffer];
    equal(chunk[3], 4);
    socket.destroy();
  });

  it("ends a connection that begins with neither, as HTTP/2 does", async () => {
    for (const bytes of ["\x16\x03\x01 hello", "PRINT it\r\n\r\n", "POSTAGE\r\n"]) {
      const { isClosed, text } = await sendRaw(served.server.address, bytes);
      ok(isClosed, bytes);
      // GOAWAY
      equal(text.charCodeAt(text.indexOf("not an HTTP/2") - 8 - 6), 7);
    }
  });

  it("serves one request after the other on a connection", async () => {
    const socket = open(served.server.address);
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
    });
    for (const name of ["Ann", "Bob", "Cid"]) {
      socket.write(requestOf(name));
      await until(
        async () => parseAnswers(text).at(-1)?.body ?? "",
        (body) => body.includes(`Hello ${name}`),
      );
    }
    equal(parseAnswers(text).length, 3);
    socket.destroy();
  });

  it("closes a connection whose requests don't wait for the answers", async () => {
    release = Promise.withResolvers();
    const { isClosed, answers } = await sendRaw(
      served.server.address,
      Buffer.concat([requestOf("wait"), requestOf("Bob"), requestOf("Cid")]),
    );
    ok(isClosed);
    equal(answers.length, 0);
    release.resolve();
    await until(
      async () => running,
      (n) => n === 0,
    );
  });

  it("says what is wrong with headers that are too large, too many or malformed", async () => {
    const ask = async (headers: string) => {
      const { answers } = await sendRaw(served.server.address, requestOf("x", headers), { answers: 1 });
      return answers[0];
    };
    const large = await ask(`x-large: ${"x".repeat(9000)}\r\n`);
    equal(large?.status, 431);
    match(large?.body ?? "", /limits\.maxHeaderListBytes = 8192/);
    const many = await ask("x-many: 1\r\n".repeat(60));
    equal(many?.status, 431);
    match(many?.body ?? "", /limits\.maxHeaderFields = 50/);
    equal((await ask("bad name: 1\r\n"))?.status, 400);
    equal((await ask("transfer-encoding: chunked\r\n"))?.status, 400);
  });

  it("says that gRPC needs HTTP/2, and takes gRPC-Web", async () => {
    for (const contentType of ["application/grpc", "application/json"]) {
      const answer = await webCall("HTTP/1.1", served.server.address, { path: depPaths.call, contentType });
      equal(answer.status, 415);
      match(String(answer.body), /gRPC needs HTTP\/2/);
    }
  });

  it("holds a server back whose caller doesn't read, and cuts off one that takes nothing", async () => {
    let sent = 0;
    const over = Promise.withResolvers<unknown>();
    const flood: CallHandler = async (call) => {
      const message = Buffer.alloc(100_000);
      for (; !call.signal.aborted; sent++) await call.send(message);
      over.resolve(call.signal.reason);
    };
    await using server = await listen(flood, { address: "127.0.0.1:0", limits });
    const { request, response, close } = openHttp1(server.address, { path: "/flood.Flood/Call" });
    request.on("error", () => {});
    request.end(frameMessage(Buffer.alloc(0)));
    const { stream } = await response;
    stream.on("error", () => {});
    // Nobody reads the stream: Node's client takes no more than its buffers hold.
    equal(((await over.promise) as Error).name, "AbortError");
    ok(sent < 300, `${sent} messages were taken`);
    close();
  });

  it("holds a caller back whose messages aren't read, and loses none of them", async () => {
    release = Promise.withResolvers();
    const { request, response, close } = openHttp1(served.server.address, { path: depPaths.upload });
    const message = frameMessage(encode.upload({ data: Buffer.alloc(60_000) }));
    let sent = 0;
    const push = () => {
      while (sent < 600) {
        sent++;
        if (!request.write(message)) return;
      }
      request.end();
    };
    request.on("drain", push);
    push();
    const settled = await until(
      async () => {
        const now = sent;
        await new Promise((resolve) => setTimeout(resolve, 150));
        return [now, sent] as const;
      },
      ([a, b]) => a === b,
    );
    ok(settled[1] < 400, `${settled[1]} of 600 messages were taken`);
    release.resolve();
    const { stream } = await response;
    const body = Buffer.concat(await Array.fromAsync(stream));
    equal(decode.upload(body.subarray(5, 5 + body.readUInt32BE(1))).id, String(600 * 60_000));
    close();
  });

  it("lets a call finish when the server closes, and closes its connection and idle ones", async () => {
    release = Promise.withResolvers();
    const other = await serveDep({
      call: async ({ name }) => {
        if (name === "wait") await release.promise;
        return { msg: name };
      },
    });
    const silent = open(other.server.address);
    const idle = open(other.server.address);
    const busy = open(other.server.address);
    await Promise.all([once(silent, "connect"), once(idle, "connect"), once(busy, "connect")]);
    idle.write(requestOf("first"));
    await once(idle, "data");
    busy.write(requestOf("wait"));
    await new Promise((resolve) => setTimeout(resolve, 50));
    const texts = [readAll(silent), readAll(idle), readAll(busy)] as const;
    const closed = other.server.close(5000);
    await Promise.all([texts[0], texts[1]]);
    release.resolve();
    const [answer] = parseAnswers(await texts[2]);
    equal(answer?.headers.connection, "close");
    match(answer?.body ?? "", /wait.*grpc-status: 0/s);
    await closed;
    deepEqual(parseAnswers(await texts[0]), []);
    await other[Symbol.asyncDispose]();
  });
});

describe("our port, slow to be told what is spoken", { concurrency: true }, () => {
  const handshakeMs = 1500;
  let served: ServedDep;
  before(async () => {
    served = await serveDep({}, undefined, { limits: { handshakeMs } });
  });
  after(() => served[Symbol.asyncDispose]());

  for (const [what, bytes] of [
    ["nothing", ""],
    ["the beginning of a method", "POS"],
    ["the beginning of a request", `POST ${depPaths.call} HTTP/1.1\r\nHost: x\r\n`],
    ["the beginning of HTTP/2's preface", "PRI * HTTP/2.0\r\n"],
    ["HTTP/2's preface and no SETTINGS", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
  ] as const) {
    it(`closes a connection that sends ${what} and then waits`, async () => {
      const began = Date.now();
      const socket = open(served.server.address);
      await once(socket, "connect");
      if (bytes !== "") socket.write(bytes);
      const text = await readAll(socket);
      const tookMs = Date.now() - began;
      ok(tookMs >= 1400 && tookMs < 6000, `took ${tookMs} ms`);
      if (what.endsWith("request")) match(text, /^HTTP\/1\.1 408 .*too long to arrive/s);
    });
  }

  it("doesn't give a dripping caller more time for each byte", async () => {
    const socket = open(served.server.address);
    socket.on("error", () => {});
    await once(socket, "connect");
    const began = Date.now();
    const drops = setInterval(() => socket.write("P"), 200);
    // Half of a method first, so that the sniffer has to wait too.
    socket.write("POST / HTTP/1.1\r\nx: ");
    await readAll(socket);
    clearInterval(drops);
    ok(Date.now() - began < 6000);
  });

  it("counts the time for HTTP/2's preface from the connection's beginning", async () => {
    await using patient = await serveDep({}, undefined, { limits: { handshakeMs: 4000 } });
    const socket = open(patient.server.address);
    await once(socket, "connect");
    const began = Date.now();
    const closed = readAll(socket);
    socket.write("P");
    await new Promise((resolve) => setTimeout(resolve, 3500));
    socket.write("RI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    await closed;
    ok(Date.now() - began < 7000);
  });
});
