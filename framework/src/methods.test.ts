import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type Account, type LogFields, MicroError, silent } from "@microts/core";
import type { RpcClient } from "@microts/core/rpc";
import { z } from "zod";
import { type ServedMethods, serveMethods } from "../../testing/src/remote.ts";
import { auth } from "./auth.ts";
import { currentCall } from "./connection.ts";
import { endpoint } from "./endpoint.ts";
import { endpointName } from "./endpoint-name.ts";
import { errors } from "./errors.ts";
import { bindEndpoint } from "./methods.ts";
import { decodeShape, encodeShape } from "./schema/protobuf.ts";
import { shapeOfSchema } from "./schema/schema.ts";
import type { MessageShape } from "./schema/shape.ts";

const jane: Account = { id: "jane", name: "Jane", type: "user", issuer: "acme", scopes: [], metadata: {} };
const Item = z.object({ id: z.string().min(1), price: z.number().default(1) });
const hand = { "~standard": { version: 1 as const, vendor: "hand", validate: (value: unknown) => ({ value }) } };

let cleaned = Promise.withResolvers<unknown>();
let ran = 0;

function seen<T>(value: T): T {
  ran++;
  return value;
}

const endpoints = {
  add: endpoint({ input: Item, output: Item, handler: (item) => item }),
  who: endpoint({
    handler: (_, { account, namespace, metadata, endpoint, service, deadline }) => ({
      account: account?.id,
      running: auth.account()?.id,
      namespace,
      mark: metadata["x-mark"],
      endpoint,
      service,
      hasDeadline: deadline !== undefined,
    }),
  }),
  nothing: endpoint({ handler: () => {} }),
  wrong: endpoint({ output: Item, handler: () => ({ id: 5 }) as never }),
  more: endpoint({ output: z.object({ id: z.string() }), handler: () => ({ id: "a", secret: "s" }) }),
  gone: endpoint({
    handler: () => {
      throw errors.notFound("no such thing");
    },
  }),
  other: endpoint({
    handler: async () => {
      throw MicroError.conflict("bank.Bank.Pay", "paid already");
    },
  }),
  broken: endpoint({
    handler: () => {
      throw new TypeError("x is not a function");
    },
  }),
  endless: endpoint({
    input: z.object({ from: z.int().default(0) }),
    output: z.object({ n: z.int() }),
    async *handler({ from }) {
      try {
        for (let n = from; ; n++) {
          yield { n };
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
      } finally {
        cleaned.resolve(currentCall.getStore()?.endpoint);
      }
    },
  }),
  mixed: endpoint({
    output: z.object({ n: z.int() }),
    async *handler() {
      try {
        yield { n: 1 };
        yield { n: "two" } as never;
      } finally {
        cleaned.resolve("cleaned");
      }
    },
  }),
  sum: endpoint({
    inputs: "stream",
    input: z.object({ n: z.int() }),
    output: z.object({ total: z.int() }),
    async handler(inputs) {
      let total = 0;
      for await (const { n } of inputs) total += n;
      return { total };
    },
  }),
  double: endpoint({
    inputs: "stream",
    input: z.object({ n: z.int() }),
    output: z.object({ n: z.int() }),
    async *handler(inputs) {
      for await (const { n } of inputs) yield { n: n * 2 };
    },
  }),
  byHand: endpoint({ input: hand, output: hand, handler: (value) => seen(value) }),
  openEnded: endpoint({ input: Item, handler: (item) => seen(item) }),
};

const logged: { message: string; fields: LogFields | undefined }[] = [];
const log = {
  ...silent,
  error: (message: string, fields?: LogFields) => void logged.push({ message, fields }),
  with: () => log,
};
const bound = Object.entries(endpoints).map(([key, each]) =>
  bindEndpoint("shop", endpointName("shop", key), each, log),
);

describe("an endpoint over the wire", () => {
  let served: ServedMethods;
  let rpc: RpcClient;
  before(async () => {
    served = await serveMethods(
      "shop",
      bound.map(({ method }) => method),
      { account: jane, namespace: "acme" },
    );
    ({ rpc } = served);
  });
  after(() => served[Symbol.asyncDispose]());
  const call = (name: string, request: unknown = {}) => rpc.callJson("shop", `Shop.${name}`, request);
  const bytes = (text: string) => rpc.unary("shop", "Shop.Add", Buffer.from(text), { format: "json" });

  it("hands over the checked request, defaults filled in", async () => {
    deepEqual(await call("Add", { id: "a", unknown: 1 }), { id: "a", price: 1 });
  });

  it("refuses a wrong request with 400, the endpoint's id and each field's path", async () => {
    await rejects(call("Add", { price: "x" }), {
      code: 400,
      id: "shop.Shop.Add",
      detail: /^invalid request to Shop\.Add: id: .*; price: /,
    });
    await rejects(call("Add", [1]), { code: 400 });
  });

  it("refuses what isn't JSON, and what is nested too deep", async () => {
    await rejects(bytes("{"), { code: 400, id: "shop.Shop.Add", detail: /not valid JSON/ });
    await rejects(bytes(`${"[".repeat(200)}${"]".repeat(200)}`), { code: 400, detail: /more than 100 levels deep/ });
  });

  it("tells the handler who calls, in which tenant, what and until when", async () => {
    const reply = await rpc.callJson("shop", "Shop.Who", {}, { metadata: { "x-mark": "m" } });
    deepEqual(reply, {
      account: "jane",
      running: "jane",
      namespace: "acme",
      mark: "m",
      endpoint: "Shop.Who",
      service: "shop",
      hasDeadline: true,
    });
  });

  it("answers nothing with an empty object", async () => {
    deepEqual(await call("Nothing"), {});
  });

  it("answers 500 when the handler breaks its own output schema, and logs it", async () => {
    logged.length = 0;
    await rejects(call("Wrong"), {
      code: 500,
      id: "shop.Shop.Wrong",
      detail: /doesn't match its own output schema: id: /,
    });
    match(logged[0]?.message ?? "", /output schema/);
  });

  it("leaves out of the reply what the output schema doesn't name", async () => {
    deepEqual(await call("More"), { id: "a" });
  });

  it("brings thrown errors with their code and id", async () => {
    await rejects(call("Gone"), { code: 404, id: "shop.Shop.Gone", detail: "no such thing" });
    await rejects(call("Other"), { code: 409, id: "bank.Bank.Pay", detail: "paid already" });
  });

  it("makes anything else thrown a 500 that leads to the log, where its message and stack are", async () => {
    logged.length = 0;
    await rejects(call("Broken"), (error: MicroError) => {
      const [{ message = "", fields = {} } = {}] = logged;
      equal(message, "the handler failed");
      match(String(fields["error"]), /TypeError: x is not a function\n\s+at /);
      deepEqual([error.code, error.id], [500, "shop.Shop.Broken"]);
      ok(error.detail.includes(String(fields["failure"])) && !error.detail.includes("x is not"), error.detail);
      return true;
    });
  });

  it("streams replies, and cleans the generator up inside its call when the caller leaves", async () => {
    cleaned = Promise.withResolvers();
    const got: unknown[] = [];
    for await (const reply of rpc.streamJson("shop", "Shop.Endless", { from: 7 })) if (got.push(reply) === 3) break;
    deepEqual(got, [{ n: 7 }, { n: 8 }, { n: 9 }]);
    equal(await cleaned.promise, "Shop.Endless");
  });

  it("checks the request of a stream, and every reply", async () => {
    const refused = rpc.streamJson("shop", "Shop.Endless", { from: "x" });
    await rejects(refused.next(), { code: 400, detail: /from: / });
    cleaned = Promise.withResolvers();
    const replies = rpc.streamJson("shop", "Shop.Mixed", {});
    deepEqual((await replies.next()).value, { n: 1 });
    await rejects(replies.next(), { code: 500, detail: /output schema: n: / });
    await cleaned.promise;
  });

  it("takes many requests, each checked", async () => {
    const requests = async function* (...values: unknown[]) {
      for (const n of values) yield Buffer.from(JSON.stringify({ n }));
    };
    const json = { format: "json" } as const;
    equal(String(await rpc.clientStream("shop", "Shop.Sum", requests(1, 2, 3), json)), '{"total":6}');
    await rejects(rpc.clientStream("shop", "Shop.Sum", requests(1, "x"), json), { code: 400, detail: /n: / });
    const doubled = await Array.fromAsync(rpc.bidi("shop", "Shop.Double", requests(1, 2), json), String);
    deepEqual(doubled, ['{"n":2}', '{"n":4}']);
  });

  it("speaks protobuf as well, its fields numbered by the schemas' properties", async () => {
    const [request, response] = [shapeOf("input"), shapeOf("output")];
    const reply = await rpc.unary("shop", "Shop.Add", encodeShape(request, { id: "a", price: 2.5 }));
    deepEqual({ ...decodeShape(response, reply, "id") }, { id: "a", price: 2.5 });
    await rejects(rpc.unary("shop", "Shop.Add", Buffer.alloc(0)), { code: 400, detail: /id: / });
    await rejects(rpc.unary("shop", "Shop.Add", Buffer.from([0xff])), { code: 400, id: "shop.Shop.Add" });
  });

  it("works with JSON for a validator without JSON Schema, and says so to protobuf before the handler runs", async () => {
    deepEqual(await call("ByHand", { a: [1] }), { a: [1] });
    ran = 0;
    await rejects(rpc.unary("shop", "Shop.ByHand", Buffer.alloc(0)), {
      code: 400,
      detail: /use|call it with application\/grpc\+json/,
    });
    const item = encodeShape(shapeOf("input"), { id: "a" });
    await rejects(rpc.unary("shop", "Shop.OpenEnded", item), { code: 400, detail: /has no output schema/ });
    equal(ran, 0);
  });
});

describe("what the registry is told", () => {
  it("has a shape where one is known", () => {
    const known = (name: string) => bound.find(({ method }) => method.name === `Shop.${name}`);
    equal(known("Add")?.request?.name, "AddRequest");
    equal(known("Add")?.response?.name, "AddResponse");
    deepEqual(known("Who")?.request?.fields, []);
    equal(known("Who")?.response, undefined);
    equal(known("ByHand")?.request, undefined);
  });
});

function shapeOf(direction: "input" | "output"): MessageShape {
  const shape = shapeOfSchema("Item", Item, direction);
  ok(shape);
  return shape;
}
