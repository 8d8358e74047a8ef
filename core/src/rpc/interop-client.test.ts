// Our client calling gRPC's own implementation for Node.js, straight and through our proxy (PX-01).
import { deepEqual, equal, rejects } from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";
import { Source } from "@microts/proto/runtime";
import { Dep } from "../../../proto/gen/test/dep/dep_pb.ts";
import { depMessages, depPaths, serveProxy } from "../../../testing/src/dep.ts";
import { decodeMessage, encodeMessage } from "../codec/index.ts";
import { type Listener, RpcClient, serviceClient } from "./index.ts";

const { call, stream, pingPong } = Dep.method;
const { upload } = Source.method;

/** A grpc-js server with the same rpcs. */
const served: grpc.UntypedServiceImplementation = {
  call: ((request, callback) => {
    if (request.request.name === "bad") return callback({ code: grpc.status.NOT_FOUND, details: "no bad here" });
    if (request.request.name === "slow") return;
    const trailers = new grpc.Metadata();
    trailers.set("x-trailer", "t");
    callback(null, { msg: `${request.request.name} ${request.metadata.get("x-mark").join()}` }, trailers);
  }) satisfies grpc.handleUnaryCall<{ name: string }, { msg: string }>,
  stream: count,
  ping: ((talk) => {
    talk.on("data", ({ stroke }) => talk.write({ stroke: stroke + 1n }));
    talk.on("end", () => talk.end());
  }) satisfies grpc.handleBidiStreamingCall<{ stroke: bigint }, { stroke: bigint }>,
  upload: ((requests, callback) => {
    const parts: Buffer[] = [];
    requests.on("data", ({ data }) => {
      parts.push(Buffer.from(data));
      if (String(data) === "stop") callback({ code: grpc.status.FAILED_PRECONDITION, details: "stopped" });
    });
    requests.on("end", () => callback(null, { id: Buffer.concat(parts).toString() }));
  }) satisfies grpc.handleClientStreamingCall<{ data: Uint8Array }, { id: string }>,
};

function count(replies: grpc.ServerWritableStream<{ count: bigint }, { count: bigint }>): void {
  for (let n = 1n; n <= replies.request.count; n++) replies.write({ count: n });
  replies.end();
}

const definition: grpc.ServiceDefinition = {
  call: define(depPaths.call, call, false, false),
  stream: define(depPaths.stream, stream, false, true),
  ping: define(depPaths.ping, pingPong, true, true),
  upload: define(depPaths.upload, upload, true, false),
};

function define(
  at: string,
  { input, output }: { readonly input: DescMessage; readonly output: DescMessage },
  requestStream: boolean,
  responseStream: boolean,
): grpc.MethodDefinition<object, object> {
  return {
    path: at,
    requestStream,
    responseStream,
    requestSerialize: (message) => Buffer.from(encodeMessage(input, message as MessageInitShape<DescMessage>, "proto")),
    requestDeserialize: (bytes) => decodeMessage(input, bytes, "proto"),
    responseSerialize: (message) =>
      Buffer.from(encodeMessage(output, message as MessageInitShape<DescMessage>, "proto")),
    responseDeserialize: (bytes) => decodeMessage(output, bytes, "proto"),
  };
}

for (const way of ["straight", "proxy"] as const) {
  describe(`our client calling grpc-js ${way === "straight" ? "straight" : "through our proxy"}`, () => {
    const server = new grpc.Server();
    const cancelled = Promise.withResolvers<void>();
    let proxy: Listener | undefined;
    let rpc: RpcClient;
    before(async () => {
      server.addService(definition, {
        ...served,
        stream: ((replies) => {
          if (replies.request.count > 0n) return count(replies);
          replies.on("cancelled", () => cancelled.resolve());
          replies.sendMetadata(new grpc.Metadata());
        }) satisfies grpc.handleServerStreamingCall<{ count: bigint }, { count: bigint }>,
      });
      const port = await new Promise<number>((resolve, reject) => {
        server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
          error ? reject(error) : resolve(bound),
        );
      });
      let address = `127.0.0.1:${port}`;
      if (way === "proxy") {
        proxy = await serveProxy(address);
        address = proxy.address;
      }
      rpc = new RpcClient({ resolve: () => address });
    });
    after(async () => {
      await rpc[Symbol.asyncDispose]();
      await proxy?.close(0);
      server.forceShutdown();
    });

    it("gets one reply for one request, metadata with it", async () => {
      const dep = serviceClient(Dep, rpc, "dep");
      equal((await dep.call({ name: "Jane" }, { metadata: { "x-mark": "m" } })).msg, "Jane m");
    });

    it("gets many replies for one request", async () => {
      const counts = await Array.fromAsync(
        serviceClient(Dep, rpc, "dep").stream({ count: 300n }),
        ({ count }) => count,
      );
      equal(counts.length, 300);
      equal(counts.at(-1), 300n);
    });

    it("gets one reply for many requests", async () => {
      const parts = async function* () {
        for (const part of ["a", "b", "c"]) yield { data: Buffer.from(part) };
      };
      equal((await serviceClient(Source, rpc, "dep").upload(parts())).id, "abc");
    });

    it("talks in turns", async () => {
      let next = Promise.withResolvers<bigint>();
      const pings = async function* () {
        for (let n = 0; n < 3; n++) {
          yield { stroke: await next.promise };
          next = Promise.withResolvers();
        }
      };
      next.resolve(1n);
      const pongs: bigint[] = [];
      for await (const { stroke } of serviceClient(Dep, rpc, "dep").pingPong(pings())) {
        pongs.push(stroke);
        next.resolve(stroke + 1n);
      }
      deepEqual(pongs, [2n, 4n, 6n]);
    });

    it("takes a plain status as a Micro error", async () => {
      await rejects(serviceClient(Dep, rpc, "dep").call({ name: "bad" }), { code: 404, detail: "no bad here" });
      await rejects(rpc.unary("dep", "Dep.Nope", Buffer.alloc(0)), { code: 501 });
    });

    it("hears of a server that has had enough before the requests end", async () => {
      const left = Promise.withResolvers<void>();
      const parts = async function* () {
        try {
          yield { data: Buffer.from("stop") };
          for (;;) {
            yield { data: Buffer.alloc(1024) };
            await new Promise((resolve) => setImmediate(resolve));
          }
        } finally {
          left.resolve();
        }
      };
      await rejects(serviceClient(Source, rpc, "dep").upload(parts()), { code: 412, detail: "stopped" });
      await left.promise;
    });

    it("ends at its deadline", async () => {
      await rejects(serviceClient(Dep, rpc, "dep").call({ name: "slow" }, { timeoutMs: 100 }), { code: 408 });
    });

    it("opens a stream with the server's headers, before its first message, and cancels it", async () => {
      const abort = new AbortController();
      const bytes = depMessages.encode.stream({ count: 0n });
      const replies = await rpc.openStream("dep", "Dep.Stream", bytes, { signal: abort.signal });
      const next = replies.next();
      abort.abort();
      await rejects(next, { code: 499 });
      await cancelled.promise;
    });
  });
}
