import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Account, coreServices, MicroError } from "@microts/core";
import { serviceClient } from "@microts/core/rpc";
import { EmbeddedRegistry } from "@microts/driver-embedded";
import { Registry as RegistryService } from "@microts/proto/registry";
import { serveMethods, testAdmin } from "@microts/testing";
import { Registry, registryMethods } from "./index.ts";

const acmeAdmin: Account = { ...testAdmin, issuer: "acme" };
const acmeUser: Account = { ...acmeAdmin, scopes: [] };

async function serve(account: Account | undefined, driver = new EmbeddedRegistry()) {
  const registry = new Registry(driver);
  const served = await serveMethods("registry", registryMethods(registry), {
    account,
    namespace: account?.issuer ?? "micro",
  });
  const client = serviceClient(RegistryService, served.rpc, "registry");
  return { registry, client, rpc: served.rpc, [Symbol.asyncDispose]: () => served[Symbol.asyncDispose]() };
}

const node = { id: "greeter-1", address: "127.0.0.1:7001" };
const greeter = { name: "greeter", version: "1", nodes: [node], options: { domain: "acme", ttl: 90n } };

function fails(code: number, text: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof MicroError, String(error));
    assert.equal(error.code, code, error.detail);
    assert.match(error.detail, text);
    return true;
  };
}

describe("registry.Registry over RPC", () => {
  it("adds the domain to a service and its nodes, and takes no version as latest", async () => {
    await using served = await serve(acmeAdmin);
    await served.client.register({ ...greeter, version: "" });
    const { services } = await served.client.getService({ service: "greeter", options: { domain: "acme" } });
    assert.equal(services[0]?.version, "latest");
    assert.deepEqual(
      [services[0]?.metadata, services[0]?.nodes[0]?.metadata],
      [{ domain: "acme" }, { domain: "acme" }],
    );
  });

  it("means domain micro when none is named", async () => {
    await using served = await serve(testAdmin);
    await served.client.register({ ...greeter, options: {} });
    assert.equal((await served.client.listServices({})).services[0]?.metadata["domain"], "micro");
  });

  it("answers 404 naming the service and the domain", async () => {
    await using served = await serve(testAdmin);
    await assert.rejects(
      served.client.getService({ service: "nobody" }),
      fails(404, /^service not found: nobody in domain "micro"/),
    );
  });

  it("lets members read and only admins write", async () => {
    await using served = await serve(acmeUser);
    const options = { domain: "acme" };
    await served.client.listServices({ options });
    await assert.rejects(served.client.register(greeter), fails(403, /Unauthorized/));
    await assert.rejects(served.client.deregister(greeter), fails(403, /Unauthorized/));
    await using nobody = await serve(undefined);
    await assert.rejects(nobody.client.listServices({ options }), fails(401, /an account is required/));
  });

  it("refuses another tenant's domain, and all domains at once, to all but micro (RG-05)", async () => {
    await using served = await serve(acmeAdmin);
    for (const domain of ["umbrella", "micro", "*"]) {
      const options = { domain };
      await assert.rejects(served.client.listServices({ options }), fails(403, /access denied to namespace/));
      await assert.rejects(
        served.client.getService({ service: "greeter", options }),
        fails(403, /access denied to namespace/),
      );
      await assert.rejects(Array.fromAsync(served.client.watch({ options })), fails(403, /access denied to namespace/));
      await assert.rejects(served.client.register({ ...greeter, options }), fails(403, /access denied to namespace/));
      await assert.rejects(served.client.deregister({ ...greeter, options }), fails(403, /access denied to namespace/));
    }
    await using micro = await serve(testAdmin);
    await micro.client.listServices({ options: { domain: "*" } });
    await assert.rejects(micro.client.register({ ...greeter, options: { domain: "*" } }), fails(400, /one domain/));
  });

  it("keeps the names of core services for the platform, in every domain (RG-05)", async () => {
    for (const account of [testAdmin, acmeAdmin]) {
      await using served = await serve(account);
      for (const name of coreServices) {
        await assert.rejects(
          served.client.register({ ...greeter, name, options: { domain: account.issuer } }),
          fails(403, /service of the platform/),
        );
      }
      await served.registry.register({
        name: "auth",
        version: "1",
        metadata: {},
        endpoints: [],
        nodes: [{ ...node, metadata: {} }],
      });
      await assert.rejects(
        served.client.deregister({ ...greeter, name: "auth", options: { domain: account.issuer } }),
        fails(403, /service of the platform/),
      );
    }
  });

  const bad: readonly [string, object][] = [
    ["a name with a slash", { name: "a/b" }],
    ["no name", { name: "" }],
    ["no node", { nodes: [] }],
    ["an address without a port", { nodes: [{ ...node, address: "127.0.0.1" }] }],
    ["a path as address", { nodes: [{ ...node, address: "unix:/run/x.sock" }] }],
    ["a URL as address", { nodes: [{ ...node, address: "http://example.com:80" }] }],
    ["port 0", { nodes: [{ ...node, address: "127.0.0.1:0" }] }],
    ["the cloud's metadata address (RG-06)", { nodes: [{ ...node, address: "169.254.169.254:80" }] }],
    ["a link-local address", { nodes: [{ ...node, address: "[fe80::1]:80" }] }],
    ["an IPv4 address in IPv6's clothes", { nodes: [{ ...node, address: "[::ffff:169.254.169.254]:80" }] }],
    ["a node without an id", { nodes: [{ ...node, id: "" }] }],
    ["an endpoint that is no endpoint", { endpoints: [{ name: "a b" }] }],
    ["too many endpoints", { endpoints: Array.from({ length: 1_001 }, (_, index) => ({ name: `A.B${index}` })) }],
    ["a negative lease", { options: { domain: "acme", ttl: "-1" } }],
  ];
  for (const [what, extra] of bad) {
    it(`refuses ${what}`, async () => {
      await using served = await serve(acmeAdmin);
      const request = { ...greeter, options: { domain: "acme", ttl: "90" }, ...extra };
      await assert.rejects(served.rpc.callJson("registry", "Registry.Register", request), fails(400, /./));
      assert.deepEqual(await served.registry.services({ domain: "acme" }), []);
    });
  }
});
