import { deepEqual, equal, match, rejects } from "node:assert/strict";
import { describe, it } from "node:test";
import type { Account } from "@microts/core";
import { type CallOptions, openStream, serviceClient } from "@microts/core/rpc";
import { Build, Runtime as RuntimeProto, Source } from "@microts/proto/runtime";
import { openRuntimePlatform, runtimeSource, serveMethods, testAdmin } from "@microts/testing";
import { Runtime, runtimeMethods } from "./index.ts";

const acmeUser: Account = { ...testAdmin, id: "jane", name: "jane", issuer: "acme", scopes: [] };
const acmeAdmin: Account = { ...acmeUser, scopes: ["admin"] };

async function open(account: Account | undefined, namespace = "micro") {
  const stack = new AsyncDisposableStack();
  const platform = stack.use(await openRuntimePlatform());
  const { rpc } = stack.use(
    await serveMethods("runtime", runtimeMethods(new Runtime(platform.runtime)), { account, namespace }),
  );
  const source = serviceClient(Source, rpc, "runtime");
  const build = (request: { name: string; version?: string }, options?: CallOptions) =>
    openStream(Build.method.read, rpc, "runtime", request, options);
  const upload = (name: string) =>
    source.upload(
      (async function* () {
        yield { service: { name } };
        for await (const data of runtimeSource("good")) yield { data };
      })(),
    );
  const logs = (service: string, namespace: string) =>
    openStream(RuntimeProto.method.logs, rpc, "runtime", { service, options: { namespace } });
  return {
    platform,
    runtime: serviceClient(RuntimeProto, rpc, "runtime"),
    source,
    upload,
    build,
    logs,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

describe("runtime service", () => {
  const refusals: readonly { who: string; account: Account | undefined; code: number; read: boolean }[] = [
    { who: "nobody", account: undefined, code: 401, read: false },
    { who: "a user of the namespace without privileges", account: acmeUser, code: 403, read: true },
    { who: "an admin of another namespace", account: { ...acmeAdmin, issuer: "other" }, code: 403, read: false },
  ];
  for (const { who, account, code, read } of refusals) {
    it(`refuses ${who}`, async () => {
      await using served = await open(account, "acme");
      const { runtime, upload, build, logs } = served;
      const resource = { service: { name: "greeter" } };
      const options = { namespace: "acme" };
      await rejects(runtime.create({ resource, options }), { code });
      await rejects(runtime.update({ resource, options }), { code });
      await rejects(runtime.delete({ resource, options }), { code });
      await rejects(logs("greeter", "acme"), { code });
      await rejects(upload("greeter"), { code });
      await rejects(build({ name: "greeter" }), { code });
      if (read) deepEqual((await runtime.read({ options })).services, []);
      else await rejects(runtime.read({ options }), { code });
    });
  }

  it("takes a namespace left out as micro, which an admin of another may not touch", async () => {
    await using served = await open(acmeAdmin, "acme");
    await rejects(served.runtime.create({ resource: { service: { name: "greeter" } } }), { code: 403 });
    await rejects(served.runtime.read({}), { code: 403 });
  });

  it("runs what was uploaded in the caller's namespace, as the wire says it", async () => {
    await using served = await open(acmeAdmin, "acme");
    const { runtime, upload, build, logs } = served;
    equal((await upload("greeter")).id, "source://greeter:latest");
    const service = {
      name: "greeter",
      version: "latest",
      source: "source://greeter:latest",
      metadata: { source: "./greeter" },
    };
    await runtime.create({
      resource: { service },
      options: { namespace: "acme", env: ["GREETING=a=b"], secrets: { GIT_CREDENTIALS: "x" } },
    });
    const { services } = await runtime.read({ options: { namespace: "acme" } });
    equal(services[0]?.status, 4);
    const { started = "", build: hash = "", ...metadata } = services[0]?.metadata ?? {};
    deepEqual({ ...metadata }, { source: "./greeter", owner: "jane", group: "acme", status: "running" });
    match(started, /^\d{4}-\d\d-\d\dT/);
    match(hash, /^[0-9a-f]{7}$/);
    const [record] = await Array.fromAsync(await logs("greeter", "acme"));
    equal(record?.message, "ready");
    equal(Math.abs(Number(record.timestamp) - Date.now() / 1000) < 60, true);
    const chunks = await Array.fromAsync(await build({ name: "greeter", version: "latest" }));
    equal(Buffer.concat(chunks.map(({ data }) => data)).includes("ready"), true);
    await runtime.delete({ resource: { service: { name: "greeter" } }, options: { namespace: "acme" } });
    await rejects(build({ name: "greeter" }), { code: 404 });
  });

  it("needs nothing done for namespaces, and refuses what it wouldn't keep to", async () => {
    await using served = await open(testAdmin);
    const { runtime } = served;
    await runtime.create({ resource: { namespace: { name: "acme" } } });
    await runtime.delete({ resource: { namespace: { name: "acme" } } });
    await rejects(runtime.create({ resource: { networkpolicy: { name: "x" } } }), { code: 501 });
    await rejects(runtime.create({ resource: { resourcequota: { name: "x" } } }), { code: 501 });
    await rejects(runtime.create({}), { code: 400 });
    const service = { name: "greeter" };
    await rejects(runtime.create({ resource: { service }, options: { image: "alpine" } }), { code: 501 });
    await rejects(runtime.create({ resource: { service }, options: { volumes: { a: "/b" } } }), { code: 501 });
    await rejects(runtime.create({ resource: { service }, options: { command: ["sh"] } }), { code: 501 });
    await rejects(runtime.create({ resource: { service: { ...service, source: "github.com/a/b" } } }), { code: 501 });
    await rejects(runtime.create({ resource: { service }, options: { env: ["nonsense"] } }), { code: 400 });
  });

  it("refuses an upload that doesn't say of what", async () => {
    await using served = await open(testAdmin);
    const messages = async function* () {
      yield { data: new Uint8Array(10) };
    };
    await rejects(served.source.upload(messages()), { code: 400, message: /first message/ });
  });
});
