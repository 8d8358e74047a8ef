// gRPC's own implementation for Node.js calling our server, straight and through our proxy (PX-01).
import assert, { deepEqual, equal, rejects } from "node:assert/strict";
import { once } from "node:events";
import { after, before, describe, it } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import * as grpc from "@grpc/grpc-js";
import { ErrorSchema } from "@microts/proto/errors";
import { depHandlers, depMessages, depPaths, type ServedDep, serveDep } from "../../../testing/src/dep.ts";
import { MicroError } from "../errors.ts";

const { decode, encode } = depMessages;
const path = depPaths;

interface Failure {
  readonly code: number;
  readonly details: string;
  readonly metadata: grpc.Metadata;
}

function unary(client: grpc.Client, name: string, metadata = new grpc.Metadata(), options: grpc.CallOptions = {}) {
  const reply = Promise.withResolvers<string>();
  const sent = client.makeUnaryRequest(
    path.call,
    encode.call,
    decode.call,
    { name },
    metadata,
    options,
    (error, value) => (error ? reply.reject(error) : reply.resolve(value?.msg ?? "")),
  );
  return Object.assign(reply.promise, { call: sent });
}

for (const way of ["server", "proxy"] as const) {
  describe(`grpc-js calling ${way === "server" ? "our server" : "our server through our proxy"}`, () => {
    let served: ServedDep;
    let client: grpc.Client;
    const over: Partial<typeof depHandlers> = {};
    before(async () => {
      // Looked up at each call, so that a test can set its own.
      served = await serveDep({
        call: (...args) => (over.call ?? depHandlers.call)(...args),
        stream: (...args) => (over.stream ?? depHandlers.stream)(...args),
        pingPong: (...args) => (over.pingPong ?? depHandlers.pingPong)(...args),
        upload: (...args) => (over.upload ?? depHandlers.upload)(...args),
      });
      client = new grpc.Client(served[way].address, grpc.credentials.createInsecure());
    });
    after(async () => {
      client.close();
      await served[Symbol.asyncDispose]();
    });
    const handling = (handlers: Partial<typeof depHandlers>) => {
      Object.assign(over, handlers);
      return {
        [Symbol.dispose]: () => {
          for (const key of Object.keys(handlers)) delete over[key as keyof typeof over];
        },
      };
    };

    it("gets one reply for one request, metadata with it", async () => {
      const metadata = new grpc.Metadata();
      metadata.set("x-mark", "!");
      equal(await unary(client, "Jané", metadata), "Hello Jané!");
    });

    it("carries binary metadata", async () => {
      using _ = handling({
        call: async (_, { metadata }) => ({ msg: Buffer.from(metadata["x-bin"] ?? "", "base64").toString("hex") }),
      });
      const metadata = new grpc.Metadata();
      metadata.set("x-bin", Buffer.from([0, 255, 10]));
      equal(await unary(client, "", metadata), "00ff0a");
    });

    it("gets many replies for one request", async () => {
      const replies = client.makeServerStreamRequest(path.stream, encode.stream, decode.stream, { count: 500n });
      const counts = (await replies.toArray()).map(({ count }: { count: bigint }) => Number(count));
      deepEqual(
        counts,
        Array.from({ length: 500 }, (_, n) => n + 1),
      );
    });

    it("gets one reply for many requests", async () => {
      const reply = Promise.withResolvers<string>();
      const sending = client.makeClientStreamRequest(path.upload, encode.upload, decode.upload, (error, value) =>
        error ? reply.reject(error) : reply.resolve(value?.id ?? ""),
      );
      for (const part of ["a", "b", "c"]) sending.write({ data: Buffer.from(part) });
      sending.end();
      equal(await reply.promise, "abc");
    });

    it("talks in turns", async () => {
      const talk = client.makeBidiStreamRequest(path.ping, encode.ping, decode.ping);
      for (let stroke = 1n; stroke < 6n; stroke += 2n) {
        talk.write({ stroke });
        const [pong] = await once(talk, "data");
        equal(pong.stroke, stroke + 1n);
      }
      talk.end();
      const [status] = await once(talk, "status");
      equal(status.code, grpc.status.OK);
    });

    it("lets the server speak first", async () => {
      using _ = handling({
        pingPong: async function* (pings) {
          yield { stroke: 0n };
          for await (const { stroke } of pings) yield { stroke: stroke * 10n };
        },
      });
      const talk = client.makeBidiStreamRequest(path.ping, encode.ping, decode.ping);
      equal((await once(talk, "data"))[0].stroke, 0n);
      talk.write({ stroke: 4n });
      equal((await once(talk, "data"))[0].stroke, 40n);
      talk.end();
      await once(talk, "status");
    });

    it("gets the status, the error as JSON and as details", async () => {
      using _ = handling({
        call: async () => {
          throw MicroError.conflict("dep.Dep.Call", "50 % taken: é");
        },
      });
      const failure = await unary(client, "").then(
        () => assert.fail("it was answered"),
        (error: Failure) => error,
      );
      equal(failure.code, grpc.status.ALREADY_EXISTS);
      deepEqual(JSON.parse(failure.details), {
        id: "dep.Dep.Call",
        code: 409,
        detail: "50 % taken: é",
        status: "Conflict",
      });
      const [details] = failure.metadata.get("grpc-status-details-bin");
      assert(details instanceof Buffer);
      const bytes = new BinaryReader(details);
      deepEqual([bytes.tag(), bytes.int32()], [[1, 0], 6]);
      deepEqual([bytes.tag(), bytes.string()], [[2, 2], failure.details]);
      bytes.tag();
      const { typeUrl, value } = fromBinary(AnySchema, bytes.bytes());
      equal(typeUrl, "type.googleapis.com/errors.Error");
      equal(fromBinary(ErrorSchema, value).detail, "50 % taken: é");
    });

    it("gets the replies that came before an error", async () => {
      using _ = handling({
        stream: async function* () {
          yield { count: 7n };
          throw MicroError.unavailable("x", "no more");
        },
      });
      const replies = client.makeServerStreamRequest(path.stream, encode.stream, decode.stream, { count: 1n });
      const got: number[] = [];
      replies.on("data", ({ count }: { count: bigint }) => got.push(Number(count)));
      const [error] = await once(replies, "error");
      equal(error.code, grpc.status.UNAVAILABLE);
      deepEqual(got, [7]);
    });

    it("is told of an unknown method (12) and a malformed one (3)", async () => {
      const ask = (method: string) =>
        new Promise<Failure | null>((resolve) => {
          client.makeUnaryRequest(method, encode.call, decode.call, { name: "" }, (error) => resolve(error));
        });
      const unknown = await ask("/dep.Dep/Nope");
      equal(unknown?.code, grpc.status.UNIMPLEMENTED);
      equal(JSON.parse(unknown?.details ?? "").detail.startsWith("unknown service Dep.Nope"), true);
      const malformed = await ask("/Call");
      equal(malformed?.code, grpc.status.INVALID_ARGUMENT);
      equal(malformed?.details, 'malformed method name: "/Call"');
    });

    it("sets a deadline that the handler sees and that ends the call", async () => {
      const seen = Promise.withResolvers<unknown>();
      const deadline = Date.now() + 1000;
      using _ = handling({
        call: (_, context) =>
          new Promise(() => {
            // What is left of it is told, in whole milliseconds, not when it is: it ends later by what the call was on its way.
            const seenMs = context.deadline?.getTime() ?? 0;
            assert(seenMs >= deadline - 5 && seenMs <= Date.now() + 1001);
            context.signal.addEventListener("abort", () => seen.resolve(context.signal.reason));
          }),
      });
      await rejects(unary(client, "", undefined, { deadline }), { code: grpc.status.DEADLINE_EXCEEDED });
      await seen.promise;
    });

    it("cancels, and the handler is told", async () => {
      const [began, ended] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      using _ = handling({
        stream: async function* (_, { signal }) {
          signal.addEventListener("abort", () => ended.resolve());
          yield { count: 1n };
          began.resolve();
          await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
        },
      });
      const replies = client.makeServerStreamRequest(path.stream, encode.stream, decode.stream, { count: 1n });
      replies.on("error", () => {});
      replies.resume();
      await began.promise;
      replies.cancel();
      await ended.promise;
    });

    it("carries 3 MiB there and back (PX-03)", async () => {
      const name = "x".repeat(3 * 1024 * 1024);
      equal((await unary(client, name)).length, "Hello ".length + name.length);
    });
  });
}
