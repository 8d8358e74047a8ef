// A gRPC-Web library that is not ours, on Node's fetch.
import { deepEqual, equal, match, rejects } from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { Dep } from "../../../../proto/gen/test/dep/dep_pb.ts";
import { type ServedDep, serveDep } from "../../../../testing/src/dep.ts";
import { MicroError } from "../../errors.ts";

describe("connect-web calling our server", () => {
  let served: ServedDep;
  let gone = Promise.withResolvers<void>();
  before(async () => {
    served = await serveDep({
      call: async ({ name }, { metadata }) => {
        if (name === "fail") throw MicroError.conflict("dep", "taken");
        return { msg: `Hello ${name}${metadata["x-mark"] ?? ""}` };
      },
      stream: async function* ({ count }, { signal }) {
        for (let n = 1n; n <= count; n++) yield { count: n };
        if (count < 4n) return;
        await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
        gone.resolve();
      },
    });
  });
  after(() => served[Symbol.asyncDispose]());

  for (const useBinaryFormat of [true, false]) {
    for (const way of ["direct", "through a proxy"] as const) {
      const client = () => {
        const { address } = way === "direct" ? served.server : served.proxy;
        return createClient(Dep, createGrpcWebTransport({ baseUrl: `http://${address}`, useBinaryFormat }));
      };
      const format = useBinaryFormat ? "protobuf" : "JSON";

      it(`makes a unary call in ${format}, ${way}`, async () => {
        const { msg } = await client().call({ name: "Jane" }, { headers: { "x-mark": "!" } });
        equal(msg, "Hello Jane!");
      });

      it(`reads a stream in ${format}, ${way}`, async () => {
        const counts = await Array.fromAsync(client().stream({ count: 3n }), ({ count }) => count);
        deepEqual(counts, [1n, 2n, 3n]);
      });

      it(`gets an error's status and text in ${format}, ${way}`, async () => {
        await rejects(client().call({ name: "fail" }), (error) => {
          const { code, rawMessage } = ConnectError.from(error);
          equal(code, Code.AlreadyExists);
          match(rawMessage, /"detail":"taken"/);
          return true;
        });
      });

      it(`leaves a stream early, and the handler learns it, in ${format}, ${way}`, async () => {
        gone = Promise.withResolvers();
        for await (const { count } of client().stream({ count: 4n })) if (count === 4n) break;
        await gone.promise;
      });
    }
  }

  it("sets a deadline", async () => {
    const client = createClient(Dep, createGrpcWebTransport({ baseUrl: `http://${served.server.address}` }));
    const stream = async () => await Array.fromAsync(client.stream({ count: 5n }, { timeoutMs: 100 }));
    await rejects(stream, (error) => ConnectError.from(error).code === Code.DeadlineExceeded);
  });
});
