import { deepEqual, equal, match } from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";
import { open, type ServedGateway, serveGateway } from "@microts/testing";
import { untilTrue } from "../../../testing/src/until.ts";

const get = (served: ServedGateway, path: string, accept?: string) =>
  fetch(`http://${served.address}${path}`, { headers: accept === undefined ? {} : { accept } });

describe("a streaming endpoint", () => {
  it("answers a line of JSON per message", async () => {
    await using served = await serveGateway();
    const answer = await get(served, "/helloworld/count?to=2");
    equal(answer.headers.get("content-type"), "application/x-ndjson");
    equal(answer.headers.get("cache-control"), "no-store");
    const lines = (await answer.text()).trimEnd().split("\n");
    deepEqual(
      lines.map((line) => JSON.parse(line)),
      [{ n: 1 }, { n: 2 }],
    );
  });

  it("answers events to those who ask for them", async () => {
    await using served = await serveGateway();
    const answer = await get(served, "/helloworld/count?to=2", "text/event-stream");
    equal(answer.headers.get("content-type"), "text/event-stream");
    const events = (await answer.text()).split("\n\n").filter(Boolean);
    deepEqual(
      events.map((event) => JSON.parse(event.replace(/^data: /, ""))),
      [{ n: 1 }, { n: 2 }],
    );
  });

  it("sends each message when it comes", async () => {
    await using served = await serveGateway();
    const answer = await get(served, "/helloworld/tick");
    const reader = answer.body?.getReader();
    equal(Buffer.from((await reader?.read())?.value ?? []).toString(), '{"tick":1}\n');
    await reader?.cancel();
    await untilTrue(() => served.backend.cancelled === 1);
  });

  it("answers its headers although it has nothing to say yet", async () => {
    await using served = await serveGateway();
    const answer = await get(served, "/helloworld/quiet", "text/event-stream");
    equal(answer.status, 200);
    await answer.body?.cancel();
    await untilTrue(() => served.backend.cancelled === 1);
  });

  it("that fails at once has the status of its error", async () => {
    await using served = await serveGateway();
    const answer = await get(served, "/helloworld/broken?after=0");
    equal(answer.status, 409);
    equal(((await answer.json()) as { detail: string }).detail, "the stream broke");
  });

  it("that fails later says so in its last message", async () => {
    await using served = await serveGateway();
    const lines = await (await get(served, "/helloworld/broken?after=2")).text();
    deepEqual(
      lines
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line).error?.code ?? null),
      [null, null, 409],
    );
    const events = await (await get(served, "/helloworld/broken?after=1", "text/event-stream")).text();
    match(events, /event: error\ndata: \{"id":"helloworld","code":409,.*\}\n\n$/);
  });

  it("holds the service back while its client doesn't read", async () => {
    let sent = 0;
    const message = Buffer.from(JSON.stringify("x".repeat(64 * 1024)));
    await using served = await serveGateway({
      async *stream() {
        for (; sent < 10_000; sent++) yield message;
      },
    });
    const socket = open(served.address);
    socket.pause();
    socket.write("GET /helloworld/count HTTP/1.1\r\nHost: x\r\n\r\n");
    let before = -1;
    while (sent === 0 || sent !== before) {
      before = sent;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    equal(sent < 2000, true, `${sent} messages of 64 KiB were taken`);
    socket.destroy();
    await untilTrue(() => served.gateway.running === 0);
  });
});

describe("a client that goes away (GW-12)", () => {
  it("cancels its call", async () => {
    await using served = await serveGateway();
    const sockets = Array.from({ length: 50 }, () => open(served.address));
    for (const socket of sockets) socket.write("GET /helloworld/slow HTTP/1.1\r\nHost: x\r\n\r\n");
    await untilTrue(() => served.backend.calls.length === 50);
    for (const socket of sockets) socket.destroy();
    await untilTrue(() => served.backend.cancelled === 50 && served.gateway.running === 0);
    match(served.accessLines[0] ?? "", / 499 /);
  });

  it("cancels its stream", async () => {
    await using served = await serveGateway();
    const socket = open(served.address);
    socket.write("GET /helloworld/tick HTTP/1.1\r\nHost: x\r\n\r\n");
    await once(socket, "data");
    socket.destroy();
    await untilTrue(() => served.backend.cancelled === 1 && served.gateway.running === 0);
  });
});

describe("a deadline", () => {
  it("that passes is a 504, and the call is cancelled (GW-08)", async () => {
    await using served = await serveGateway({ limits: { timeoutMs: 500 } });
    const answer = await get(served, "/helloworld/slow");
    equal(answer.status, 504);
    equal(((await answer.json()) as { code: number }).code, 504);
    await untilTrue(() => served.backend.cancelled === 1);
  });

  it("holds although the call does not listen", async () => {
    await using served = await serveGateway({ limits: { timeoutMs: 500 }, call: () => new Promise(() => {}) });
    const answer = await get(served, "/helloworld/call");
    equal(answer.status, 504);
    match(await answer.text(), /did not answer within 500 ms/);
  });
});

describe("closing", () => {
  it("finishes what runs, tells clients to close, and takes no more (GW-11)", async () => {
    await using served = await serveGateway();
    const running = Array.from({ length: 20 }, () => get(served, "/helloworld/wait?ms=1000"));
    await untilTrue(() => served.backend.calls.length === 20);
    const closed = served.gateway.close(5000);
    for (const answer of await Promise.all(running)) {
      equal(answer.status, 200);
      equal(answer.headers.get("connection"), "close");
    }
    await closed;
    await get(served, "/").then(
      () => Promise.reject(new Error("it still answers")),
      () => {},
    );
  });

  it("ends streams cleanly when the grace is over", async () => {
    await using served = await serveGateway();
    const answer = await get(served, "/helloworld/tick");
    const text = answer.text();
    await untilTrue(() => served.backend.calls.length === 1);
    await served.gateway.close(100);
    equal(await text, '{"tick":1}\n');
  });

  it("says who can't listen on a taken port", async () => {
    await using served = await serveGateway();
    const error = await serveGateway({ address: served.address }).then(
      () => undefined,
      (reason: { code?: number; detail?: string }) => reason,
    );
    equal(error?.code, 409);
    match(error?.detail ?? "", /port is taken/);
  });
});
