import { deepEqual, equal, match, rejects } from "node:assert/strict";
import { describe, it } from "node:test";
import { type Account, MicroError } from "@microts/core";
import { Connections, listen, type Method, RpcClient } from "@microts/core/rpc";
import { serveMethods, testAdmin } from "@microts/testing";
import { proxyHandler } from "./index.ts";

const boss: Account = { ...testAdmin, id: "boss", name: "boss", issuer: "acme" };
const jane: Account = { ...testAdmin, id: "jane", name: "jane", scopes: [] };
const tokens: Record<string, Account> = { "Bearer admin": testAdmin, "Bearer boss": boss, "Bearer jane": jane };

/** A method that tells what reached it. */
function echo(name: string): Method {
  return {
    name,
    kind: "unary",
    decode: (bytes) => JSON.parse(Buffer.from(bytes).toString()),
    encode: (value) => Buffer.from(JSON.stringify(value)),
    handle: (request, { namespace, metadata }) => ({ request, namespace, custom: metadata["x-custom"], from: name }),
  };
}

/** A proxy before two nodes of `greeter` in `micro`, one in `acme`, and the platform's own `store`. */
async function start() {
  await using stack = new AsyncDisposableStack();
  const nodes = [];
  for (const name of ["one", "two", "acme"]) {
    const method: Method = {
      ...echo("Greeter.Call"),
      handle: (_, { namespace, metadata }) => ({ node: name, namespace, custom: metadata["x-custom"] }),
    };
    nodes.push(stack.use(await serveMethods("greeter", [method], { account: undefined })));
  }
  const [one, two, acme] = nodes.map(({ address }) => address);
  const where: Record<string, (string | undefined)[]> = { "micro greeter": [one, two], "acme greeter": [acme] };
  const connections = stack.use(new Connections());
  const refusals: string[] = [];
  const listener = await listen(
    proxyHandler({
      router: {
        routes: (service, namespace) =>
          (where[`${namespace} ${service}`] ?? []).map((address = "") => ({
            service,
            address,
            network: namespace,
            metric: 1,
            metadata: {},
          })),
      },
      local: new Map([["store", new Map([["Store.Read", echo("Store.Read")]])]]),
      connections,
      account: (authorization) => {
        if (authorization === undefined) return undefined;
        const account = tokens[authorization];
        if (account === undefined) throw MicroError.unauthorized("auth", "invalid token provided");
        return account;
      },
      authorize: (account, _, service, endpoint) => {
        if (account === jane)
          throw MicroError.forbidden(service, `Forbidden call made to ${service}:${endpoint} by ${account.id}`);
      },
      refused: (service, endpoint, reason) => void refusals.push(`${service} ${endpoint}: ${reason}`),
    }),
    { address: "127.0.0.1:0" },
  );
  stack.defer(() => listener.close(0));
  const rpc = stack.use(new RpcClient({ resolve: () => listener.address }));
  const call = (service: string, endpoint: string, metadata: Record<string, string> = {}) =>
    rpc.callJson(service, endpoint, {}, { metadata }) as Promise<Record<string, unknown>>;
  const running = stack.move();
  return { call, refusals, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

describe("the proxy", () => {
  it("shares calls between the nodes of a service", async () => {
    await using proxy = await start();
    const seen = new Set<unknown>();
    for (let n = 0; n < 4; n++) seen.add((await proxy.call("greeter", "Greeter.Call"))["node"]);
    deepEqual([...seen].sort(), ["one", "two"]);
  });

  it("answers the platform's own services itself, whatever the namespace", async () => {
    await using proxy = await start();
    equal((await proxy.call("store", "Store.Read", { authorization: "Bearer boss" }))["from"], "Store.Read");
  });

  it("passes metadata on and sets the namespace of the account", async () => {
    await using proxy = await start();
    const reply = await proxy.call("greeter", "Greeter.Call", { authorization: "Bearer boss", "x-custom": "a b" });
    deepEqual(reply, { node: "acme", namespace: "acme", custom: "a b" });
  });

  it("lets no account into another tenant (PX-07, S17)", async () => {
    await using proxy = await start();
    await rejects(proxy.call("greeter", "Greeter.Call", { authorization: "Bearer boss", "micro-namespace": "micro" }), {
      code: 403,
      detail: /namespace "micro" by user "boss" of "acme"/,
    });
    const reply = await proxy.call("greeter", "Greeter.Call", {
      authorization: "Bearer admin",
      "micro-namespace": "acme",
    });
    equal(reply["node"], "acme");
  });

  it("refuses a token that doesn't verify before routing anything", async () => {
    await using proxy = await start();
    await rejects(proxy.call("greeter", "Greeter.Call", { authorization: "Bearer forged" }), { code: 401 });
    await rejects(proxy.call("store", "Store.Read", { authorization: "Bearer forged" }), { code: 401 });
  });

  it("tells of whom the platform's own services didn't get to see", async () => {
    await using proxy = await start();
    for (const service of ["greeter", "store"]) {
      await rejects(proxy.call(service, "Store.Read", { authorization: "Bearer forged" }));
      await rejects(proxy.call(service, "Store.Read", { authorization: "Bearer boss", "micro-namespace": "micro" }));
    }
    equal(proxy.refusals.length, 2);
    match(proxy.refusals[0] ?? "", /^store Store\.Read: .*invalid token/);
    match(proxy.refusals[1] ?? "", /^store Store\.Read: .*user "boss" of "acme", which isn't a member/);
  });

  it("asks the rules", async () => {
    await using proxy = await start();
    await rejects(proxy.call("greeter", "Greeter.Call", { authorization: "Bearer jane" }), {
      code: 403,
      detail: "Forbidden call made to greeter:Greeter.Call by jane",
    });
  });

  it("says that nobody runs a service, in the words command lines know (wire §4)", async () => {
    await using proxy = await start();
    const error = await proxy.call("nobody", "Nobody.Call").then(
      () => undefined,
      (reason: MicroError) => reason,
    );
    equal(error?.code, 404);
    match(error?.detail ?? "", /^service nobody: route not found in namespace "micro"/);
  });

  it("says which endpoints a service of its own has", async () => {
    await using proxy = await start();
    await rejects(proxy.call("store", "Store.Nope"), {
      code: 501,
      detail: /^unknown service Store\.Nope\. store has Store\.Read/,
    });
  });
});
