// Services as they are in real life: a process started with `node file.ts` beside a platform.
import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { toJson } from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";
import { type Account, readLocalCredentials, signToken } from "@microts/core";
import { RpcClient, serviceClient } from "@microts/core/rpc";
import { type Platform, parseSettings, startPlatform } from "@microts/platform";
import { Config } from "@microts/proto/config";
import { Health, HealthCheckResponse_ServingStatus as ServingStatus } from "@microts/proto/grpc/health/v1";
import { Registry } from "@microts/proto/registry";
import { Child } from "../../testing/src/child.ts";
import { repository } from "../../testing/src/micro.ts";
import { reflectedService, unaryCall } from "../../testing/src/standard-services.ts";
import { until } from "../../testing/src/until.ts";

const kit = `import { auth, broker, client, config, endpoint, events, service, store } from "@microts/service";
import { z } from "zod";

const self = client("kit");

export default service("kit", {
  who: endpoint({
    handler: (_, { account, namespace }) => ({ id: account?.id, same: auth.account() === account, namespace }),
  }),
  slow: endpoint({
    handler: async () => {
      console.log("slow has begun");
      await new Promise((resolve) => setTimeout(resolve, 400));
      return { done: true };
    },
  }),
  tour: endpoint({
    handler: async () => {
      await store.write("k", { n: 1 });
      await store.write("gone", 1);
      await store.delete("gone");
      await config.set("kit.colour", "red");
      await events.publish("orders", { id: 7 });
      const { account, secret } = await auth.create("kit-bot", { name: "kit-bot" });
      await auth.delete(account.id);
      return {
        read: await store.read("k"),
        keys: await store.keys(),
        colour: await config.get("kit.colour", z.string()),
        orders: (await events.read("orders")).map(({ data }) => data),
        bot: account.name,
        hasSecret: secret.length > 10,
        called: await self.who(),
      };
    },
  }),
  colours: endpoint({
    output: z.object({ colour: z.string() }),
    async *handler() {
      for await (const colour of config.watch("kit.paint")) yield { colour: String(colour) };
    },
  }),
  greet: endpoint({
    input: z.object({ name: z.string() }),
    output: z.object({ "the-msg": z.string() }),
    handler: ({ name }) => ({ "the-msg": "Hello " + name }),
  }),
  say: endpoint({ input: z.object({ text: z.string() }), handler: ({ text }) => broker.publish("talk", text) }),
  listen: endpoint({
    output: z.object({ text: z.string() }),
    async *handler() {
      try {
        for await (const { data } of broker.subscribe("talk")) yield { text: data };
      } finally {
        console.log("no longer listening");
      }
    },
  }),
});
`;

describe("a service file started with node", { timeout: 280_000 }, () => {
  let folder: string;
  let home: string;
  let platform: Platform;
  let rpc: RpcClient;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "micro-service-"));
    home = join(folder, "home");
    await mkdir(home);
    await symlink(join(repository, "node_modules"), join(folder, "node_modules"));
    await writeFile(join(folder, "package.json"), '{"type":"module"}');
    await writeFile(join(folder, "kit.ts"), kit);
    await writeFile(join(folder, "other.ts"), 'import kit from "./kit.ts";\nconsole.log("imported", kit.name);\n');
    const address = "127.0.0.1:0";
    const names = ["API", "PROXY", "WEB", "NETWORK"].map((name) => [`MICRO_${name}_ADDRESS`, address]);
    platform = await startPlatform(parseSettings({ ...Object.fromEntries(names), MICRO_HOME: home }));
    rpc = new RpcClient({
      resolve: () => platform.addresses.proxy,
      metadata: async () => ({
        "micro-namespace": "micro",
        authorization: `Bearer ${(await readLocalCredentials(home, platform.addresses.proxy))?.token}`,
      }),
    });
  });
  after(async () => {
    await rpc?.[Symbol.asyncDispose]();
    await platform?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  const start = (file: string, env: Record<string, string> = {}) => {
    const own = { MICRO_HOME: home, MICRO_PROXY: platform.addresses.proxy, PATH: process.env["PATH"] ?? "" };
    return new Child(join(folder, file), [], { cwd: folder, env: { ...own, ...env } });
  };
  const serving = async (env?: Record<string, string>) => {
    const child = start("kit.ts", env);
    const [, address = ""] = await child.saying(/serving .*address=(\S+)/);
    return Object.assign(child, { address });
  };
  const nodes = async () => {
    const registry = serviceClient(Registry, rpc, "registry");
    const { services } = await registry.getService({ service: "kit" }).catch(() => ({ services: [] }));
    return services.flatMap(({ nodes }) => nodes.map(({ address }) => address));
  };
  const call = (name: string, request: unknown = {}) => rpc.callJson("kit", `Kit.${name}`, request);

  it("registers, answers, and on SIGTERM leaves the registry and exits with 0", async () => {
    await using child = await serving();
    deepEqual(await nodes(), [child.address]);
    const { services } = await serviceClient(Registry, rpc, "registry").getService({ service: "kit" });
    deepEqual(
      services[0]?.endpoints.map(({ name, metadata }) => `${name}${metadata["stream"] === "true" ? " stream" : ""}`),
      ["Kit.Who", "Kit.Slow", "Kit.Tour", "Kit.Colours stream", "Kit.Greet", "Kit.Say", "Kit.Listen stream"],
    );
    deepEqual(await call("Who"), { id: (await credentials()).account, same: true, namespace: "micro" });
    const { code } = await child.end("SIGTERM");
    equal(code, 0);
    deepEqual(await nodes(), []);
  });

  it("answers grpc-js's health checks, and calls made by what it reflects", async () => {
    await using child = await serving();
    const client = new grpc.Client(child.address, grpc.credentials.createInsecure());
    for (const service of ["", "kit", "kit.Kit"])
      equal((await unaryCall(client, Health.method.check, { service })).status, ServingStatus.SERVING);
    const { methods } = await reflectedService(client, "kit.Kit");
    const greet = methods.find(({ name }) => name === "Greet");
    ok(greet !== undefined);
    deepEqual(toJson(greet.output, await unaryCall(client, greet, { name: "jo" })), { "the-msg": "Hello jo" });
    client.close();
  });

  it("lets a running call finish when it is told to stop", async () => {
    await using child = await serving();
    const running = call("Slow");
    await child.saying(/slow has begun/);
    const ended = child.end("SIGTERM");
    deepEqual(await running, { done: true });
    equal((await ended).code, 0);
  });

  it("uses store, config, events, auth and other services without set-up", async () => {
    await using _ = await serving();
    deepEqual(await call("Tour"), {
      read: { n: 1 },
      keys: ["k"],
      colour: "red",
      orders: [{ id: 7 }],
      bot: "kit-bot",
      hasSecret: true,
      called: { id: (await credentials()).account, same: true, namespace: "micro" },
    });
  });

  it("is pushed what changes in its config", async () => {
    await using _ = await serving();
    const config = serviceClient(Config, rpc, "config");
    const colours = rpc.streamJson("kit", "Kit.Colours", {});
    deepEqual((await colours.next()).value, { colour: "undefined" });
    await config.set({ path: "kit.paint", value: { data: '"blue"' } });
    deepEqual((await colours.next()).value, { colour: "blue" });
    await config.set({ path: "kit.paint", value: { data: '"green"' }, options: { secret: true } });
    deepEqual((await colours.next()).value, { colour: "green" });
    await colours.return();
  });

  it("hears what is published, and ends its subscription when the caller leaves", async () => {
    await using child = await serving();
    const replies = rpc.streamJson("kit", "Kit.Listen", {});
    const heard = replies.next();
    let isHeard = false;
    void heard.then(() => {
      isHeard = true;
    });
    await until(
      async () => {
        await call("Say", { text: "hello" });
        return isHeard;
      },
      (done) => done,
    );
    deepEqual((await heard).value, { text: "hello" });
    await replies.return();
    await child.saying(/no longer listening/);
  });

  it("knows its callers by a verified token alone (no public key: the platform is asked)", async () => {
    await using child = await serving();
    await checkTokens(child.address, (await credentials()).token);
  });

  it("verifies tokens by itself with the platform's public key", async () => {
    const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const pem = String(publicKey.export({ type: "spki", format: "pem" }));
    await using child = await serving({ MICRO_AUTH_PUBLIC_KEY: Buffer.from(pem).toString("base64") });
    await checkTokens(child.address, await token(privateKey));
  });

  it("says in one line that no server is there, and exits with 1", async () => {
    const { code, stderr } = await start("kit.ts", { MICRO_PROXY: "127.0.0.1:1" }).within(20_000);
    equal(code, 1);
    match(stderr, /^kit: cannot reach the micro server at 127\.0\.0\.1:1: .*Start one with: micro server\n$/);
  });

  it("says in one line that its credentials are wrong, and exits with 1", async () => {
    const wrong = { MICRO_AUTH_ID: "kit-latest", MICRO_AUTH_SECRET: "hunter2" };
    const { code, stderr } = await start("kit.ts", wrong).within(20_000);
    equal(code, 1);
    match(stderr, /^kit: .+\n$/);
    ok(!stderr.includes("hunter2"), stderr);
  });

  it("says what to do when it has no credentials, and exits with 1", async () => {
    const { code, stderr } = await start("kit.ts", { MICRO_HOME: join(folder, "empty") }).within(20_000);
    equal(code, 1);
    match(stderr, /^kit: the server at .* refused the registration: .*Use micro run, or set MICRO_AUTH_ID.*\n$/);
  });

  it("says every mistake in its environment in one line, and exits with 1", async () => {
    const { code, stderr } = await start("kit.ts", { MICRO_LOG_LEVEL: "loud", MICRO_AUTH_ID: "x" }).within(20_000);
    equal(code, 1);
    match(stderr, /^kit: MICRO_LOG_LEVEL is "loud".*; MICRO_AUTH_ID and MICRO_AUTH_SECRET go together.*\n$/);
  });

  it("isn't started by a file that imports it", async () => {
    const { code, stdout, stderr } = await start("other.ts").within(20_000);
    deepEqual({ code, stdout, stderr }, { code: 0, stdout: "imported kit\n", stderr: "" });
    deepEqual(await nodes(), []);
  });

  async function credentials() {
    const found = await readLocalCredentials(home, platform.addresses.proxy);
    ok(found);
    return found;
  }

  /** Dials the service itself, past the platform's own check. */
  async function checkTokens(address: string, good: string): Promise<void> {
    const forger = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
    const who = (authorization?: string) =>
      rpc.callJson("kit", "Kit.Who", {}, { address, metadata: { authorization: authorization ?? "" } });
    const { id, same } = (await who(`Bearer ${good}`)) as { id: string; same: boolean };
    ok(id !== undefined && same);
    equal(((await who()) as { id?: string }).id, undefined);
    for (const forged of [`Bearer ${await token(forger)}`, `Bearer ${good}x`, "Bearer x", "Digest x"])
      await rejects(who(forged), { code: 401 }, forged);
  }
});

function token(key: KeyObject): Promise<string> {
  const account: Account = {
    id: "mallory",
    name: "mallory",
    type: "user",
    issuer: "micro",
    scopes: ["admin"],
    metadata: {},
  };
  return signToken(account, new Date(Date.now() + 60_000), "key", key);
}
