import { equal, match, ok, rejects } from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Source } from "@microts/proto/runtime";
import { Dep } from "../../../proto/gen/test/dep/dep_pb.ts";
import { type DepHandlers, depMessages, depPaths, serveDep } from "../../../testing/src/dep.ts";
import { MicroError } from "../errors.ts";
import { formatOf } from "./content-type.ts";
import { Connections, listen, RpcClient, serviceClient } from "./index.ts";

async function connected(over: Partial<DepHandlers> = {}) {
  const served = await serveDep(over);
  const rpc = new RpcClient({ resolve: () => served.server.address });
  return {
    served,
    rpc,
    dep: serviceClient(Dep, rpc, "dep"),
    source: serviceClient(Source, rpc, "dep"),
    async [Symbol.asyncDispose]() {
      await rpc[Symbol.asyncDispose]();
      await served[Symbol.asyncDispose]();
    },
  };
}

/** A port that takes connections and never says anything. */
async function mute() {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => void sockets.add(socket.on("error", () => {})));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    address: `127.0.0.1:${(server.address() as { port: number }).port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

describe("a call of the client", () => {
  for (const [when, wait] of [
    ["before it begins", undefined],
    ["while it connects", () => Promise.resolve()],
    ["while nobody answers", () => delay(50)],
  ] as const) {
    it(`is cancelled ${when}`, async () => {
      await using server = await mute();
      await using rpc = new RpcClient({ resolve: () => server.address });
      const abort = new AbortController();
      if (wait === undefined) abort.abort();
      const call = rpc.callJson("dep", "Dep.Call", {}, { signal: abort.signal });
      await wait?.();
      abort.abort();
      await rejects(call, { code: 499 });
      const stream = rpc.streamJson("dep", "Dep.Stream", {}, { signal: AbortSignal.abort() });
      await rejects(stream.next(), { code: 499 });
    });
  }

  it("ends at its deadline while nobody answers", async () => {
    await using server = await mute();
    await using rpc = new RpcClient({ resolve: () => server.address });
    await rejects(rpc.callJson("dep", "Dep.Call", {}, { timeoutMs: 50 }), { code: 408 });
    await rejects(rpc.callJson("dep", "Dep.Call", {}, { deadline: new Date(Date.now() + 50) }), { code: 408 });
  });

  it("doesn't outlast its deadline or its signal while it gets its token or its address", async () => {
    const never = () => new Promise<never>(() => {});
    await using tokenless = new RpcClient({ resolve: () => "127.0.0.1:1", metadata: never });
    await rejects(tokenless.callJson("dep", "Dep.Call", {}, { timeoutMs: 50 }), { code: 408 });
    await using lost = new RpcClient({ resolve: never });
    const abort = new AbortController();
    const call = lost.callJson("dep", "Dep.Call", {}, { signal: abort.signal });
    abort.abort();
    await rejects(call, { code: 499 });
  });

  it("sends metadata under lawful keys alone", async () => {
    await using all = await connected({
      call: async (_, { metadata }) => ({ msg: Object.keys(metadata).toSorted().join() }),
    });
    const metadata = { ":path": "/dep.Dep/Stream", connection: "close", te: "x", "X-Mark": "m", host: "h" };
    equal((await all.dep.call({}, { metadata })).msg, "x-mark");
  });

  it("refuses metadata that no header can carry, and the connection goes on", async () => {
    await using all = await connected();
    for (const mark of ["a\nb", "a\0b", "日本"]) {
      await rejects(all.dep.call({}, { metadata: { "x-mark": mark } }), { code: 400, detail: /"x-mark".*-bin/ });
    }
    equal((await all.dep.call({ name: "Jane" })).msg, "Hello Jane");
  });

  it("brings an error with a detail longer than trailers have room for", async () => {
    await using all = await connected({
      call: async () => {
        throw MicroError.badRequest("dep.Dep.Call", "語".repeat(200_000));
      },
    });
    await rejects(all.dep.call({}), (error: MicroError) => {
      match(error.detail, /^語{100,}… \(\d+ more characters left out\)$/);
      return error.code === 400 && error.id === "dep.Dep.Call";
    });
  });

  it("names the endpoint in the error of a handler that broke", async () => {
    await using all = await connected({
      call: async () => {
        throw new Error("broke");
      },
    });
    await rejects(all.dep.call({}), { code: 500, id: "dep.Dep.Call", detail: "broke" });
  });

  it("speaks JSON by name even when its options leave the format open", async () => {
    await using all = await connected();
    const reply = await all.rpc.callJson("dep", "Dep.Call", { name: "Jane" }, { format: undefined });
    equal((reply as { msg: string }).msg, "Hello Jane");
  });
});

describe("a stream of the client", () => {
  it("reads a compressed reply to one request and to many", async () => {
    const { upload, call } = depMessages.encode;
    await using server = await listen(
      async (incoming) => {
        incoming.compress(true);
        for (let bytes = await incoming.read(); bytes !== undefined; bytes = await incoming.read());
        await incoming.send(
          incoming.path === depPaths.call ? call({ name: "x".repeat(5_000) }) : upload({ data: Buffer.from("y") }),
        );
      },
      { address: "127.0.0.1:0" },
    );
    await using rpc = new RpcClient({ resolve: () => server.address });
    // Alone on the wire each time, so that the call is over before the reply has been decompressed.
    for (let n = 0; n < 20; n++)
      equal(
        Buffer.from(await rpc.unary("dep", "Dep.Call", call({ name: "" })))
          .toString()
          .slice(-5_000),
        "x".repeat(5_000),
      );
    const many = (async function* () {
      yield call({ name: "" });
    })();
    equal(
      Buffer.from(await rpc.clientStream("dep", "Source.Upload", many))
        .toString()
        .slice(-1),
      "y",
    );
  });

  it("has no deadline when told so, and 10 s otherwise", async () => {
    await using server = await connected({
      call: async (_, { deadline }) => ({
        msg: String(deadline === undefined ? "none" : deadline.getTime() - Date.now()),
      }),
    });
    equal((await server.dep.call({}, { timeoutMs: Number.POSITIVE_INFINITY })).msg, "none");
    const leftMs = Number((await server.dep.call({})).msg);
    ok(leftMs > 5_000 && leftMs <= 10_001, `${leftMs} ms`);
  });

  it("sends no faster than the server reads", async () => {
    const read = Promise.withResolvers<void>();
    await using all = await connected({
      upload: async (requests) => {
        await read.promise;
        let bytes = 0;
        for await (const { data } of requests) bytes += data.length;
        return { id: String(bytes) };
      },
    });
    let sent = 0;
    const size = 64 * 1024;
    const parts = async function* () {
      for (; sent < 1000; sent++) yield { data: Buffer.alloc(size) };
    };
    const reply = all.source.upload(parts());
    const held = await settled(() => sent);
    ok(held < 500, `${held} of 1000 messages went out unread`);
    read.resolve();
    equal((await reply).id, String(1000 * size));
  });

  it("lets the server send no faster than it reads", async () => {
    let made = 0;
    await using all = await connected({
      stream: async function* () {
        for (; made < 200_000; made++) yield { count: BigInt(made) };
      },
    });
    const replies = all.dep.stream({})[Symbol.asyncIterator]();
    await replies.next();
    const held = await settled(() => made);
    ok(held < 200_000, "everything was made though nobody read it");
    await replies.return?.();
  });

  it("loses nothing when the server ends a call whose requests go on", async () => {
    await using all = await connected({
      pingPong: async function* () {
        for (let stroke = 0n; stroke < 20_000n; stroke++) yield { stroke };
      },
    });
    const open = async function* () {
      yield { stroke: 1n };
      await new Promise<void>(() => {});
    };
    let count = 0n;
    for await (const { stroke } of all.dep.pingPong(open())) {
      equal(stroke, count++);
      if (count % 5000n === 0n) await delay(20);
    }
    equal(count, 20_000n);
  });

  it("tells the failure of its own requests, and the server that it has gone", async () => {
    const [began, gone] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    await using all = await connected({
      upload: (_, { signal }) => {
        began.resolve();
        return new Promise(() => signal.addEventListener("abort", () => gone.resolve()));
      },
    });
    const failing = async function* () {
      yield { data: Buffer.from("a") };
      await began.promise;
      throw new RangeError("the disk is full");
    };
    await rejects(all.source.upload(failing()), { name: "RangeError", message: "the disk is full" });
    await gone.promise;
  });

  it("takes an early answer to many requests", async () => {
    await using all = await connected({ upload: async () => ({ id: "enough" }) });
    const endless = async function* () {
      for (;;) yield { data: Buffer.alloc(10_000) };
    };
    equal((await all.source.upload(endless())).id, "enough");
    equal((await all.dep.call({ name: "Jane" })).msg, "Hello Jane");
  });

  it("fails with 503 when the connection is lost half-way", async () => {
    await using all = await connected({
      stream: async function* () {
        yield { count: 1n };
        await new Promise(() => {});
      },
    });
    const replies = all.dep.stream({})[Symbol.asyncIterator]();
    await replies.next();
    const next = rejects(replies.next(), { code: 503, detail: /lost the connection to 127\.0\.0\.1:\d+/ });
    await all.served.server.close(0);
    await next;
  });
});

describe("Connections", () => {
  it("says which address is malformed", async () => {
    await using connections = new Connections();
    await using rpc = new RpcClient({ resolve: () => "no address", connections });
    await rejects(rpc.callJson("a", "A.B", {}), { code: 400, detail: /"no address" is not an address/ });
  });

  it("opens another connection while the old one's calls finish", async () => {
    const go = Promise.withResolvers<void>();
    const began = Promise.withResolvers<void>();
    await using first = await serveDep({
      call: async () => {
        began.resolve();
        await go.promise;
        return { msg: "old" };
      },
    });
    await using second = await serveDep({ call: async () => ({ msg: "new" }) });
    let address = first.server.address;
    await using rpc = new RpcClient({ resolve: () => address });
    const dep = serviceClient(Dep, rpc, "dep");
    const running = dep.call({});
    await began.promise;
    const closed = first.server.close(10_000);
    address = second.server.address;
    equal((await dep.call({})).msg, "new");
    go.resolve();
    equal((await running).msg, "old");
    await closed;
  });
});

describe("formatOf", () => {
  for (const [type, format] of [
    ["application/grpc", "proto"],
    ["application/grpc+proto", "proto"],
    ["application/octet-stream", "proto"],
    ["application/grpc+json", "json"],
    ["Application/JSON; charset=utf-8", "json"],
    ["multipart/form-data; boundary=x", "json"],
  ] as const) {
    it(`reads ${type} as ${format} (wire §2.2)`, () => equal(formatOf(type), format));
  }
});

/** The count once it has stopped moving. */
async function settled(count: () => number): Promise<number> {
  for (let last = -1; ; ) {
    await delay(100);
    if (count() === last) return last;
    last = count();
  }
}
