import { deepEqual, equal, throws } from "node:assert/strict";
import { describe, it } from "node:test";
import { z } from "zod";
import { endpointName } from "./endpoint-name.ts";
import { type Client, client, endpoint, service } from "./index.ts";

const Item = z.object({ id: z.string(), price: z.number().default(1) });

const shop = service("shop", {
  add: endpoint({ input: Item, output: Item, handler: (item) => item }),
  count: endpoint({ output: z.object({ n: z.int() }), handler: async () => ({ n: 1 }) }),
  ping: endpoint({ handler: () => "pong" as const }),
  watch: endpoint({
    input: z.object({ id: z.string().optional() }),
    output: Item,
    async *handler({ id }) {
      yield { id: id ?? "" };
    },
  }),
  import: endpoint({
    inputs: "stream",
    input: Item,
    output: z.object({ n: z.int() }),
    async handler(items) {
      let n = 0;
      for await (const { price } of items) n += price;
      return { n };
    },
  }),
  chat: endpoint({
    inputs: "stream",
    input: z.object({ text: z.string() }),
    async *handler(lines) {
      for await (const { text } of lines) yield text.length;
    },
  }),
});

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const isTrue = (_: true): void => {};

type Shop = Client<typeof shop>;
type Sent = { id: string; price?: number | undefined };
type Got = { id: string; price: number };

describe("the types of a client", () => {
  it("follow from the other service's definition alone", () => {
    isTrue({} as Same<keyof Shop, "add" | "count" | "ping" | "watch" | "import" | "chat">);
    isTrue({} as Same<Parameters<Shop["add"]>[0], Sent>);
    isTrue({} as Same<ReturnType<Shop["add"]>, Promise<Got>>);
    isTrue({} as Same<ReturnType<Shop["count"]>, Promise<{ n: number }>>);
    isTrue({} as Same<ReturnType<Shop["watch"]>, AsyncIterable<Got>>);
    isTrue({} as Same<Parameters<Shop["import"]>[0], AsyncIterable<Sent>>);
    isTrue({} as Same<ReturnType<Shop["import"]>, Promise<{ n: number }>>);
    isTrue({} as Same<Parameters<Shop["chat"]>[0], AsyncIterable<{ text: string }>>);
    isTrue({} as Same<ReturnType<Shop["chat"]>, AsyncIterable<number>>);
  });

  it("ask for an input where there is one, and for none where there is none", () => {
    isTrue({} as Same<Parameters<Shop["count"]>["length"], 0 | 1 | 2>);
    isTrue({} as Same<Parameters<Shop["add"]>["length"], 1 | 2>);
  });
});

describe("endpoint", () => {
  it("takes its kind from the handler", () => {
    deepEqual(
      Object.entries(shop.endpoints).map(([name, { kind }]) => `${name} ${kind}`),
      ["add unary", "count unary", "ping unary", "watch server", "import client", "chat bidi"],
    );
  });
});

describe("the name of an endpoint", () => {
  for (const [of, key, name] of [
    ["helloworld", "call", "Helloworld.Call"],
    ["posts", "listPosts", "Posts.ListPosts"],
    ["foo-bar", "call", "FooBar.Call"],
    ["foo.bar", "call", "FooBar.Call"],
    ["foo", "foo-bar", "Foo.FooBar"],
    ["foo", "Admin.reset", "Admin.Reset"],
    ["foo", "admin.reset-all", "Admin.ResetAll"],
    ["2fa", "check", "2fa.Check"],
  ] as const) {
    it(`${key} of ${of} is ${name}`, () => equal(endpointName(of, key), name));
  }
});

describe("service", () => {
  it("refuses a name that can't be called", () => {
    for (const name of ["", "a b", "a/b", "-a", ".a", "a".repeat(64)])
      throws(() => service(name, {}), { code: 400, detail: /can't be the name of a service/ });
  });
});

describe("client", () => {
  it("isn't taken for a promise", async () => {
    const shopClient = client<typeof shop>("shop");
    equal(await shopClient, shopClient);
  });
});
