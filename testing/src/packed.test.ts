import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { access, mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it, type TestContext } from "node:test";
import { promisify } from "node:util";
import type { Child, Result } from "./child.ts";
import { addressVariables, Machine, repository } from "./micro.ts";
import { OfflineNetwork, whyNotOffline } from "./offline.ts";

const run = promisify(execFile);
const tsc = join(repository, "node_modules", "typescript", "bin", "tsc");
const packTimeoutMs = 120_000;
const commandTimeoutMs = 60_000;

/** The file of the product's first page. */
const hello = `import { endpoint, service } from "@microts/service";
import { z } from "zod";                       // or any Standard Schema library

export default service("helloworld", {
  call: endpoint({
    input: z.object({ name: z.string() }),
    output: z.object({ msg: z.string() }),
    handler: ({ name }) => ({ msg: \`Hello \${name}\` }),
  }),
});
`;

describe("the packed packages", { timeout: 280_000 }, () => {
  let machine: Machine;
  /** Where `npm install -g` of the command's tarball alone went. */
  let prefix: string;
  /** A project with every tarball installed in it. */
  let project: string;
  let tarballs: string[] = [];
  /** Set when the packages could not be installed for want of a registry. */
  let unreachable: string | undefined;

  before(async () => {
    machine = await Machine.create();
    const packed = join(machine.folder, "tarballs");
    prefix = join(machine.folder, "prefix");
    project = join(machine.work, "project");
    await run(process.execPath, [join("tools", "pack.ts"), packed], { cwd: repository, timeout: packTimeoutMs });
    tarballs = (await readdir(packed)).toSorted();
    await mkdir(prefix);
    await machine.write({
      "alone/hello.ts": hello,
      "project/package.json": JSON.stringify({ name: "project", private: true, type: "module" }),
      "project/hello.ts": hello,
    });
    const files = tarballs.map((name) => `./${name}`);
    const only = files.filter((name) => /^\.\/microts-\d/.test(name));
    const installed = await Promise.allSettled([
      npmInstall(["-g", "--prefix", prefix, ...only], packed),
      npmInstall(["--prefix", project, ...files], packed),
    ]);
    for (const each of installed) if (each.status === "rejected") unreachable = whyUnreachable(each.reason);
  });
  after(() => machine?.[Symbol.asyncDispose]());

  it("are one for each publishable workspace", () => {
    const names = tarballs.map((name) => name.replace(/-\d+\.\d+\.\d+\.tgz$/, ""));
    const parts = ["blocks", "core", "dashboard", "driver-embedded", "platform", "proto", "service"];
    assert.deepEqual(names.toSorted(), ["microts", ...parts.map((part) => `microts-${part}`)].toSorted());
  });

  it("hold every file that their package.json names", async (t) => {
    if (unreachable !== undefined) return t.skip(unreachable);
    const modules = join(project, "node_modules");
    const scoped = (await readdir(join(modules, "@microts"))).map((name) => join("@microts", name));
    for (const name of ["microts", ...scoped]) {
      const folder = join(modules, name);
      const manifest: unknown = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
      const named = filesNamed(manifest).filter((path) => !path.includes("*"));
      assert.ok(named.length > 0, `${name} names no file`);
      for (const path of named) await access(join(folder, path));
    }
  });

  it("work with the network off: micro dev with one file, then micro helloworld and curl", async (t) => {
    if (unreachable !== undefined) return t.skip(unreachable);
    const reason = whyNotOffline();
    if (reason !== undefined) return t.skip(reason);
    await using network = await OfflineNetwork.create();
    const env = { PATH: `${join(prefix, "bin")}:${pathOfUser()}` };
    const start = (cwd: string, program: string, ...args: string[]) =>
      network.start(machine, program, args, { cwd, env });
    await using dev = start(join(machine.work, "alone"), "micro", "dev", "hello.ts");
    const [curl = ""] = await dev.saying(/curl '.*'/, commandTimeoutMs);
    assert.equal(curl, "curl 'localhost:8080/helloworld/call?name=Jane'");
    const called = await start(machine.work, "micro", "helloworld", "--name=Jane").within(commandTimeoutMs);
    assert.deepEqual(output(called), { code: 0, stdout: '{\n\t"msg": "Hello Jane"\n}\n' });
    const outside = "require('node:net').connect(53, '1.1.1.1').on('error', (error) => console.log(error.code))";
    const probe = await start(machine.work, "node", "-e", outside).within(commandTimeoutMs);
    assert.equal(probe.stdout, "ENETUNREACH\n", "the network is not off");
    await hasCurl(t, async () => {
      const url = curl.slice("curl '".length, -1);
      const fetched = await start(machine.work, "curl", "--silent", url).within(commandTimeoutMs);
      assert.deepEqual(output(fetched), { code: 0, stdout: '{"msg":"Hello Jane"}' });
    });
    assert.equal((await dev.end("SIGINT")).code, 0);
  });

  describe("installed in a project", () => {
    let server: Child | undefined;
    let env: Record<string, string> = {};
    let dashboard = "";
    const micro = (args: string[], options: { env?: Record<string, string> } = {}) =>
      machine.startFile(join(project, "node_modules", "microts", "bin", "micro.js"), args, options);

    before(async () => {
      if (unreachable !== undefined) return;
      server = micro(["server", "--output=json"], { env: addressVariables() });
      const [text] = await server.saying(/^\{.*?^\}/ms, commandTimeoutMs);
      const urls = JSON.parse(text) as Record<"dashboard" | "proxy", string>;
      dashboard = urls.dashboard;
      env = { MICRO_PROXY: urls.proxy };
    });
    after(() => server?.[Symbol.asyncDispose]());

    it("make a service that type-checks and runs", async (t) => {
      if (unreachable !== undefined) return t.skip(unreachable);
      const within = (args: string[]) => micro(args, { env }).within(commandTimeoutMs);
      assert.equal((await within(["new", "fresh"])).code, 0);
      const checked = await machine.startFile(tsc, ["-p", "fresh"]).within(commandTimeoutMs);
      assert.deepEqual(output(checked), { code: 0, stdout: "" });
      assert.deepEqual(await within(["run", "./fresh"]), { code: 0, stdout: "", stderr: "" });
      const called = await within(["fresh", "--name=Jane"]);
      assert.deepEqual(output(called), { code: 0, stdout: '{\n\t"msg": "Hello Jane"\n}\n' });
    });

    it("tell what is wrong as they do in the repository", async (t) => {
      if (unreachable !== undefined) return t.skip(unreachable);
      const { code, stderr } = await micro(["server"], { env: addressVariables() }).within(commandTimeoutMs);
      assert.notEqual(code, 0);
      assert.match(stderr, /data directory|another|already/i);
      assert.doesNotMatch(stderr, /^\s+at /m);
    });

    it("keep compiled code in the user's home, not where another user can put some", async (t) => {
      if (unreachable !== undefined) return t.skip(unreachable);
      assert.equal((await micro(["version"]).within(commandTimeoutMs)).code, 0);
      const [version = ""] = await readdir(join(machine.home, ".cache", "micro"));
      const kept = await readdir(join(machine.home, ".cache", "micro", version));
      assert.ok(
        kept.some((name) => name.endsWith("-dist-main-js")),
        kept.join(" "),
      );
    });

    it("serve the dashboard's page and its script", async (t) => {
      if (unreachable !== undefined) return t.skip(unreachable);
      const page = await (await fetch(dashboard)).text();
      const [, script = ""] = /src="([^"]+\.js)"/.exec(page) ?? [];
      const { status, headers } = await fetch(new URL(script, dashboard));
      assert.deepEqual([status, headers.get("content-type")], [200, "text/javascript; charset=utf-8"]);
    });

    it("let node run a service's file by itself, which joins the server", async (t) => {
      if (unreachable !== undefined) return t.skip(unreachable);
      await using alone = machine.startFile("hello.ts", [], { cwd: project, env });
      await alone.saying(/serving/);
      const called = await micro(["helloworld", "--name=Joe"], { env }).within(commandTimeoutMs);
      assert.deepEqual(output(called), { code: 0, stdout: '{\n\t"msg": "Hello Joe"\n}\n' });
    });
  });

  async function npmInstall(args: readonly string[], cwd: string): Promise<void> {
    // The home is as empty as a new user's, but not what npm has downloaded before, nor where from.
    const [cache, userconfig] = await Promise.all([npmSetting("cache"), npmSetting("userconfig")]);
    const quiet = ["--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error"];
    const env = { ...process.env, HOME: machine.home, npm_config_cache: cache, npm_config_userconfig: userconfig };
    await run("npm", ["install", ...quiet, ...args], { cwd, env, timeout: packTimeoutMs });
  }
});

async function npmSetting(name: string): Promise<string> {
  const { stdout } = await run("npm", ["config", "get", name], { cwd: repository });
  return stdout.trim();
}

/** Why to skip; throws when that is no reason, as on CI, where it would hide that nothing was tested. */
function whyUnreachable(reason: unknown): string {
  const { stderr = "" } = reason as { stderr?: string };
  if (!/E(NOTFOUND|AI_AGAIN|CONNREFUSED|CONNRESET|TIMEDOUT|NETUNREACH|HOSTUNREACH)/.test(stderr)) throw reason;
  const text = `npm's registry can't be reached, and the packed packages can't be installed without it: ${stderr}`;
  if (process.env["CI"]) throw new Error(text);
  return text;
}

/** What a user has on the PATH: without the programs of this repository, which npm adds when it runs the tests. */
function pathOfUser(): string {
  const folders = (process.env["PATH"] ?? "").split(":");
  return folders.filter((folder) => !folder.includes("node_modules") && !folder.includes("node-gyp-bin")).join(":");
}

async function hasCurl(t: TestContext, use: () => Promise<void>): Promise<void> {
  const has = await run("curl", ["--version"]).then(
    () => true,
    () => false,
  );
  if (has) await use();
  else t.diagnostic("curl is not installed: its line was not run");
}

function output({ code, stdout }: Result): Pick<Result, "code" | "stdout"> {
  return { code, stdout };
}

/** Every path below `bin` and `exports` of a package.json. */
function filesNamed(manifest: unknown): string[] {
  const { bin, exports } = manifest as Record<"bin" | "exports", unknown>;
  const texts = (value: unknown): string[] =>
    typeof value === "string" ? [value] : Object.values(value ?? {}).flatMap(texts);
  return [bin, exports].flatMap(texts);
}
