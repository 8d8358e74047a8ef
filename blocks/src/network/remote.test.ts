import { deepEqual, rejects } from "node:assert/strict";
import { describe, it } from "node:test";
import { openTestNetwork, serveMethods, testAdmin } from "@microts/testing";
import { Network, networkConformance, networkMethods, RemoteNetwork } from "./index.ts";

async function open(account: typeof testAdmin | undefined = testAdmin, namespace = "micro") {
  const driver = await openTestNetwork();
  const served = await serveMethods("network", networkMethods(new Network(driver)), { account, namespace });
  const remote = new RemoteNetwork(served.rpc);
  const close = async () => {
    await served[Symbol.asyncDispose]();
    await driver[Symbol.asyncDispose]();
  };
  remote[Symbol.asyncDispose] = close;
  return { remote, rpc: served.rpc, [Symbol.asyncDispose]: close };
}

describe("RemoteNetwork", () => {
  networkConformance(it, { open: async () => (await open()).remote });
});

describe("network.Network", () => {
  const boss = { ...testAdmin, issuer: "acme" };

  it("shows a tenant's admin its own routes and services only (TN-01)", async () => {
    await using network = await open(boss, "acme");
    deepEqual(await network.rpc.callJson("network", "Network.Services", {}), { services: ["greeter"] });
    await rejects(network.rpc.callJson("network", "Network.Routes", { query: { network: "micro" } }), { code: 403 });
    await rejects(network.rpc.callJson("network", "Network.Routes", { query: { network: "*" } }), { code: 403 });
  });

  it("tells nobody anything without an account", async () => {
    const driver = await openTestNetwork();
    await using served = await serveMethods("network", networkMethods(new Network(driver)), { account: undefined });
    for (const rpc of ["Nodes", "Graph", "Routes", "Services", "Status", "Connect"]) {
      await rejects(served.rpc.callJson("network", `Network.${rpc}`, {}), { code: 401 });
    }
    await driver[Symbol.asyncDispose]();
  });

  it("prints metric as text in JSON, as the original's command line expects (wire §10)", async () => {
    await using network = await open();
    const { routes } = (await network.rpc.callJson("network", "Network.Routes", {
      query: { address: "127.0.0.1:7003", network: "*" },
    })) as {
      routes: { metric: string }[];
    };
    deepEqual(
      routes.map(({ metric }) => metric),
      ["1"],
    );
  });

  it("says that this server has no peers to connect to", async () => {
    await using network = await open();
    await rejects(network.rpc.callJson("network", "Network.Connect", { nodes: [] }), { code: 501, detail: /no peers/ });
  });
});
