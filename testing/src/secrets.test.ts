// Where a secret must never stand: CF-01 of the reliability catalogue, against a server and a service that are processes of their own.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { readLocalCredentials } from "@microts/core";
import { RpcClient, type ServiceClient, serviceClient } from "@microts/core/rpc";
import { Config } from "@microts/proto/config";
import { Machine, type MicroServer, startServer } from "./micro.ts";

/** In every secret of this test; stays as it is wherever text is escaped. */
const core = randomBytes(12).toString("hex");
/** Begins every secret of this test, and has characters that change in URLs and JSON. */
const canary = `canary/${core}?"ü`;

/** Given to the server in its environment: then it must not stand anywhere else. */
const rootKey = randomBytes(32).toString("base64");

/** How the text may stand somewhere: as it is, in JSON, in a URL, in hex, and in base64 wherever it begins. */
function formsOf(text: string): readonly Buffer[] {
  const bytes = Buffer.from(text);
  const base64 = [0, 1, 2].map((shift) => {
    const shifted = Buffer.concat([Buffer.alloc(shift), bytes]).toString("base64");
    return shifted.slice(Math.ceil((shift * 4) / 3), Math.floor(((shift + bytes.length) * 8) / 6));
  });
  const url = encodeURIComponent(text);
  const hex = bytes.toString("hex");
  return [text, JSON.stringify(text).slice(1, -1), url, url.toLowerCase(), hex, hex.toUpperCase(), ...base64].map(
    (form) => Buffer.from(form),
  );
}

const forms = [...formsOf(core), ...formsOf(canary)];
const keyForms = [Buffer.from(rootKey), Buffer.from(rootKey, "base64"), ...formsOf(rootKey)];

function assertClean(where: string, bytes: Buffer): void {
  for (const form of keyForms) assert.equal(bytes.includes(form), false, `${where} has the root key`);
  for (const form of forms) assert.equal(bytes.includes(form), false, `${where} has the secret as ${form}`);
}

const keeper = `import { config, endpoint, service } from "@microts/service";
import { z } from "zod";

export default service("keeper", {
  length: endpoint({
    output: z.object({ length: z.int() }),
    handler: async () => ({ length: String(await config.get("canaries.k0")).length }),
  }),
  broken: endpoint({
    output: z.object({ length: z.int() }),
    handler: async () => {
      const { k0 } = await config.get("canaries", z.object({ k0: z.number() }));
      return { length: k0 };
    },
  }),
});
`;

describe("secrets in config (CF-01)", { timeout: 280_000 }, () => {
  let machine: Machine;
  let server: MicroServer;
  let rpc: RpcClient;
  let config: ServiceClient<(typeof Config)["method"]>;
  /** Everything that was said to somebody who may not see secrets, or in passing. */
  const said: string[] = [];

  before(async () => {
    machine = await Machine.create();
    server = await startServer({ machine, env: { MICRO_LOG_LEVEL: "debug", MICRO_CONFIG_SECRET_KEY: rootKey } });
    const token = async () => (await readLocalCredentials(join(server.home, ".micro"), server.addresses.proxy))?.token;
    rpc = new RpcClient({
      resolve: () => server.addresses.proxy,
      metadata: async () => ({ "micro-namespace": "micro", authorization: `Bearer ${await token()}` }),
    });
    config = serviceClient(Config, rpc, "config");
    await machine.write({ "keeper/index.ts": keeper, "keeper/package.json": '{"type":"module"}' });
  });
  after(async () => {
    await rpc?.[Symbol.asyncDispose]();
    await server?.[Symbol.asyncDispose]();
    await machine?.[Symbol.asyncDispose]();
  });

  const refused = async (call: Promise<unknown>) => {
    await assert.rejects(call, (error: Error) => said.push(JSON.stringify(error), error.stack ?? "") > 0);
  };

  it("would be found in any of these forms", () => {
    const text = `before ${canary} after`;
    const shown = [text, JSON.stringify({ text }), encodeURIComponent(text)];
    for (let n = 0; n < 3; n++) shown.push(Buffer.from("x".repeat(n) + text).toString("base64"));
    for (const where of [...shown, Buffer.from(text).toString("hex")])
      assert.throws(() => assertClean(where, Buffer.from(where)), /has the secret as/, where);
  });

  it("are set, read by a service, refused, watched and rotated", async () => {
    const secret = { secret: true };
    const set = (path: string, value: unknown, namespace = "micro") =>
      config.set({ namespace, path, value: { data: JSON.stringify(value) }, options: secret });
    await Promise.all(Array.from({ length: 190 }, (_, n) => set(`canaries.k${n}`, `${canary}${n}`)));
    await Promise.all(Array.from({ length: 9 }, (_, n) => set(`deep.k${n}`, { a: [`${canary}${n}`] }, `tenant${n}`)));
    const typed = await machine.run(["config", "set", "--secret", "typed"], {
      env: server.env,
      input: `${canary}typed\n`,
    });
    assert.deepEqual(typed, { code: 0, stdout: "", stderr: "" });

    await server.output("run", "./keeper");
    assert.deepEqual(await server.json("keeper", "length"), { length: `${canary}0`.length });
    const broken = await server.micro("keeper", "broken");
    assert.notEqual(broken.code, 0);
    said.push(broken.stdout, broken.stderr, await server.output("logs", "keeper"));

    await refused(config.set({ path: "raw", value: { data: canary }, options: secret }));
    await refused(
      config.set({ path: `${"x".repeat(2_000)}`, value: { data: JSON.stringify(canary) }, options: secret }),
    );
    await refused(
      config.set({ path: "big", value: { data: JSON.stringify(canary.repeat(200_000)) }, options: secret }),
    );
    await refused(
      config.set({ namespace: "No/pe", path: "n", value: { data: JSON.stringify(canary) }, options: secret }),
    );
    said.push(
      (await server.micro("config", "get", "canaries.k0")).stdout,
      await server.output("config", "get", "canaries"),
    );
    const body = { path: "web", value: { data: JSON.stringify(canary) }, options: secret };
    const anonymous = await server.fetch("/config/set", body);
    assert.equal(anonymous.status, 401);
    said.push(await anonymous.text());
    const query = new URLSearchParams({ path: "web", "value.data": canary, "options.secret": "true" });
    said.push(await (await server.fetch(`/config/set?${query}`)).text());

    for await (const { value } of config.watch({ path: "canaries" })) {
      said.push(value?.data ?? "");
      break;
    }
    assert.match(await server.output("config", "rotate"), /^200 secrets of 10 namespaces encrypted anew\n$/);
    assert.equal(await server.output("config", "get", "--secret", "typed"), `${canary}typed\n`);
  });

  it("don't stand in error messages, masked readings and logs", () => {
    for (const text of said) assertClean(text.slice(0, 200), Buffer.from(text));
    assert.ok(said.length > 10);
    const { stdout, stderr } = server.process;
    assertClean("the server's output", Buffer.from(stdout + stderr));
    assert.match(stderr, /audit: secrets were read method=Get by="service.*keeper.*path=canaries/);
    assert.match(stderr, /audit: access to config was refused method=Set by=nobody/);
  });

  it("don't stand in the environment or arguments of any process, and neither does their key in that of others", async () => {
    const running = await machine.processes();
    assert.ok(running.length >= 2, "the server and its service");
    for (const { pid, command } of running) {
      const environment = (await readFile(`/proc/${pid}/environ`)).toString("latin1");
      const isServer = pid === server.process.pid;
      assert.equal(environment.includes("MICRO_CONFIG_SECRET_KEY"), isServer, `the environment of ${command}`);
      const others = isServer ? environment.replace(`MICRO_CONFIG_SECRET_KEY=${rootKey}`, "") : environment;
      assertClean(`the environment of ${command}`, Buffer.from(others, "latin1"));
      assertClean(`the arguments of ${command}`, await readFile(`/proc/${pid}/cmdline`));
    }
  });

  it("don't stand in any file of the server, of the command line, or of a backup", async () => {
    const { backup, DatabaseSync } = await import("node:sqlite");
    const dataDir = join(server.home, ".micro", "server");
    const copies = join(machine.folder, "backup");
    await mkdir(copies);
    {
      using database = new DatabaseSync(join(dataDir, "micro.db"), { readOnly: true });
      await backup(database, join(copies, "micro.db"));
    }
    await server.output("store", "write", "k", "v");
    await server.output("store", "snapshot", "--destination", join(copies, "micro.snapshot"));
    await server.stop();
    let files = 0;
    for (const folder of [server.home, copies]) {
      for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
        if (!entry.isFile()) continue;
        const path = join(entry.parentPath, entry.name);
        assertClean(path, await readFile(path));
        files++;
      }
    }
    assert.ok(files > 5, `${files} files`);
  });
});
