import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { openRuntimePlatform, type RuntimePlatform, registering, tarOf } from "@microts/testing";
import { Builder } from "./build.ts";
import { detectEntry } from "./entry.ts";

const signal = new AbortController().signal;
const good = registering("ready");

async function folder(files: Readonly<Record<string, string>>): Promise<string> {
  const dir = await realpath(await mkdtemp(join(tmpdir(), "micro-source-")));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(dir, name)), { recursive: true });
    await writeFile(join(dir, name), text);
  }
  return dir;
}

describe("entry", () => {
  const found: readonly { files: readonly string[]; entrypoint?: string; manifest?: unknown; entry: string }[] = [
    { files: ["index.ts", "main.ts"], entry: "index.ts" },
    { files: ["main.ts", "index.js"], entry: "index.js" },
    { files: ["src/index.ts", "lib.ts"], entry: "src/index.ts" },
    { files: ["src/main.mts", "README.md"], entry: "src/main.mts" },
    { files: ["greeter.ts", "other.ts"], entry: "greeter.ts" },
    { files: ["only.mjs", "only.test.mjs", "vite.config.ts", "types.d.ts"], entry: "only.mjs" },
    { files: ["start.ts", "index.ts"], manifest: { main: "./start.ts" }, entry: "start.ts" },
    { files: ["index.ts"], manifest: { main: "dist/index.js" }, entry: "index.ts" },
    {
      files: ["a.ts", "index.ts"],
      manifest: { exports: { ".": { types: "./a.d.ts", import: "./a.ts" } } },
      entry: "a.ts",
    },
    { files: ["index.ts"], manifest: { main: "../../etc/passwd.js" }, entry: "index.ts" },
    { files: ["services/a/index.ts", "index.ts"], entrypoint: "services/a", entry: "services/a/index.ts" },
    { files: ["b.ts", "index.ts"], entrypoint: "b.ts", entry: "b.ts" },
  ];
  for (const { files, entrypoint = "", manifest, entry } of found) {
    it(`finds ${entry} among ${files.join(", ")}${manifest === undefined ? "" : ` with ${JSON.stringify(manifest)}`}`, async () => {
      const all = Object.fromEntries(files.map((name) => [name, ""]));
      const dir = await folder({ ...all, ...(manifest !== undefined && { "package.json": JSON.stringify(manifest) }) });
      equal((await detectEntry(dir, entrypoint, "greeter")).file, join(dir, entry));
      await rm(dir, { recursive: true });
    });
  }

  const refused: readonly { files: readonly string[]; entrypoint?: string; words: RegExp }[] = [
    { files: [], words: /is empty/ },
    { files: ["README.md", "a.ts", "b.ts"], words: /looked for .*greeter\.ts.*found README\.md, a\.ts, b\.ts/ },
    {
      files: ["go.mod", "main.go"],
      words: /looks like Go \(it has go\.mod\); this runtime runs TypeScript and JavaScript/,
    },
    { files: ["main.py"], words: /looks like Python/ },
    { files: ["index.ts"], entrypoint: "nowhere", words: /no "nowhere"/ },
    { files: ["notes.txt"], entrypoint: "notes.txt", words: /not a TypeScript or JavaScript file/ },
  ];
  for (const { files, entrypoint = "", words } of refused) {
    it(`refuses ${files.join(", ") || "an empty folder"} ${entrypoint && `at ${entrypoint}`}`, async () => {
      const dir = await folder(Object.fromEntries(files.map((name) => [name, ""])));
      await rejects(detectEntry(dir, entrypoint, "greeter"), { code: 400, message: words });
      await rm(dir, { recursive: true });
    });
  }

  it("refuses a package.json that isn't one", async () => {
    const dir = await folder({ "package.json": "{", "index.ts": "" });
    await rejects(detectEntry(dir, "", "greeter"), { code: 400, message: /package\.json is not JSON/ });
    await rm(dir, { recursive: true });
  });
});

describe("build", () => {
  const build = async (files: Readonly<Record<string, string>>, modules: Readonly<Record<string, string>> = {}) => {
    const dir = await folder(files);
    using builder = new Builder(modules);
    try {
      const { file } = await builder.build(dir, await detectEntry(dir, "", "x"), signal);
      return await readFile(file, "utf8");
    } finally {
      await rm(dir, { recursive: true });
    }
  };

  it("takes the platform's modules when the source has none, and the source's own when it does", async () => {
    const platform = await folder({ "fw/index.ts": 'export const who: string = "platform";', "fw/extra.ts": "" });
    const modules = { "@test/fw": join(platform, "fw/index.ts") };
    const index = 'import { who } from "@test/fw"; console.log(who);';
    match(await build({ "index.ts": index }, modules), /"platform"/);
    const own = {
      "node_modules/@test/fw/package.json": '{"main":"a.js"}',
      "node_modules/@test/fw/a.js": 'exports.who = "own";',
    };
    match(await build({ "index.ts": index, ...own }, modules), /"own"/);
    await rm(platform, { recursive: true });
  });

  it("says where the source doesn't compile, for up to 20 mistakes", async () => {
    const files = {
      "index.ts": 'import "./a.ts";\nimport "./lib/b.ts";',
      "a.ts": "\nconst x: number = ;\n",
      "lib/b.ts": "export {};\n\n  let y = = 2;\n",
    };
    await rejects(build(files), { code: 400, message: /^a\.ts:2:19: .*\n^lib\/b\.ts:3:11: /m });
    const many = Array.from({ length: 25 }, (_, index) => `import "./no${index}.ts";`).join("\n");
    await rejects(
      build({ "index.ts": many }),
      (error: Error) => error.message.split("\n").length === 22 && /and 5 more/.test(error.message),
    );
  });

  it("says what to add when a package is missing", async () => {
    await rejects(build({ "index.ts": 'import "left-pad/x";' }), {
      code: 400,
      message: /Add "left-pad" to the dependencies/,
    });
  });

  it("puts no file from outside of the source into a bundle", async () => {
    const outside = await folder({ "secret.txt": "hidden" });
    for (const path of [`../${outside.split("/").at(-1)}/secret.txt`, join(outside, "secret.txt")]) {
      await rejects(build({ "index.ts": `import secret from ${JSON.stringify(path)}; console.log(secret);` }), {
        code: 400,
        message: /outside of the source/,
      });
    }
    await rm(outside, { recursive: true });
  });
});

describe("a source that is run", () => {
  let platform: RuntimePlatform;
  let registry: Awaited<ReturnType<typeof openPackages>>;
  before(async () => {
    registry = await openPackages();
    const environment = {
      PATH: process.env["PATH"],
      npm_config_registry: registry.url,
      SERVER_SECRET: "hidden",
      LANG: "C.UTF-8",
    };
    platform = await openRuntimePlatform({ environment, registerTimeoutMs: 5000 });
  });
  after(async () => {
    await platform[Symbol.asyncDispose]();
    await registry[Symbol.asyncDispose]();
  });

  it("has an environment of its own: nothing of the server's, its own folders and identity", async () => {
    await platform.run(
      "env",
      { "index.js": `console.log(JSON.stringify([process.env, process.cwd()]));\n${good}` },
      { env: { GREETING: "hi" } },
    );
    const [env, cwd] = JSON.parse((await platform.messages("env"))[0] ?? "") as [Record<string, string>, string];
    const { HOME = "", TMPDIR = "", MICRO_PROXY = "", MICRO_SERVICE_NODE_ID = "", PATH = "", ...rest } = env;
    deepEqual(rest, {
      GREETING: "hi",
      LANG: "C.UTF-8",
      MICRO_AUTH_ID: "env-latest",
      MICRO_AUTH_PUBLIC_KEY: "cHVibGlj",
      MICRO_AUTH_SECRET: "secret of micro",
      MICRO_NAMESPACE: "micro",
      MICRO_PROFILE: "service",
      MICRO_SERVICE_NAME: "env",
      MICRO_SERVICE_VERSION: "latest",
    });
    ok([HOME, TMPDIR, cwd].every((dir) => dir.startsWith(join(platform.dataDir, "runtime", "micro"))));
    ok(MICRO_PROXY.startsWith("127.0.0.1:") && MICRO_SERVICE_NODE_ID.startsWith("env-") && PATH !== "");
  });

  it("runs CommonJS, JSON, top-level await and files beside it, with traces that name the source", async () => {
    await platform.run(
      "mixed",
      {
        "package.json": '{"main":"src/start.ts"}',
        "src/start.ts": `
import { readFile } from "node:fs/promises";
import legacy from "./legacy.cjs";
import data from "./data.json" with { type: "json" };
console.log(legacy.path, data.a, await readFile(new URL("./note.txt", import.meta.url), "utf8"), process.argv[2]);

type Unused = string;
console.log(new Error("where").stack);
${good}`,
        "src/legacy.cjs": 'exports.path = require("node:path").basename(__dirname + "/x");',
        "src/data.json": '{"a":1}',
        "src/note.txt": "note",
      },
      { args: ["--flag"] },
    );
    const lines = await platform.messages("mixed");
    equal(lines[0], "x 1 note --flag");
    ok(
      lines.some((line) => /src\/start\.ts:8/.test(line)),
      lines.join("\n"),
    );
  });

  it("says what a service threw at its start, and what to do when it never registers", async () => {
    await rejects(
      platform.run("throws", { "index.ts": 'throw new Error("no\\u001b[31m database");' }),
      (error: Error) => {
        match(error.message, /exited with code 1 before it had registered\nIt printed:\n/);
        match(error.message, /Error: no\\u001b\[31m database/);
        return true;
      },
    );
    await rejects(platform.run("silent", { "index.ts": "setInterval(() => {}, 1000);" }), {
      code: 400,
      message: /export default service\(/,
    });
    deepEqual(platform.revoked, ["micro/throws/latest", "micro/silent/latest"]);
  });

  it("fetches what package.json lists from the registry without running a script (RT-09)", async () => {
    const trap = join(platform.dataDir, "trap");
    const touch = `node -e "require('fs').writeFileSync('${trap}', '')"`;
    const scripts = { preinstall: touch, install: touch, postinstall: touch, prepare: touch };
    await registry.add(
      "nasty-dependency",
      { scripts, bin: { node: "index.js" } },
      'module.exports = "from the registry";',
    );
    await platform.run("installs", {
      "package.json": JSON.stringify({ dependencies: { "nasty-dependency": "^1.0.0" }, scripts }),
      ".npmrc": "registry=http://127.0.0.1:9/\nscript-shell=/bin/false\ngit=./evil\n",
      "binding.gyp": "{}",
      "index.ts": `import words from "nasty-dependency"; console.log(words);\n${good}`,
    });
    equal((await platform.messages("installs"))[0], "from the registry");
    await rejects(readFile(trap), { code: "ENOENT" });
    deepEqual(registry.leaked, []);
  });

  for (const range of [
    "git+ssh://git@example.com/a.git",
    "owner/repo",
    "file:../..",
    "https://example.com/a.tgz",
    "link:/etc",
    "npm:x@git://y",
  ]) {
    it(`refuses the dependency ${range} (RT-09)`, async () => {
      const files = {
        "package.json": JSON.stringify({ dependencies: { a: range } }),
        "index.ts": `import "a";\n${good}`,
      };
      await rejects(platform.run("refused", files), { code: 400, message: /from the npm registry only/ });
    });
  }

  it("passes on what npm says when a package isn't there", async () => {
    const files = { "package.json": JSON.stringify({ dependencies: { "not-there-at-all": "1" } }), "index.ts": good };
    await rejects(platform.run("missing", files), {
      code: 400,
      message: /npm install ended with code 1: .*not-there-at-all/s,
    });
  });
});

/** An npm registry with the packages that are added; `leaked` names secrets that were in a request. */
async function openPackages() {
  const packages = new Map<string, { manifest: object; tarball: Buffer }>();
  const leaked: string[] = [];
  const server = createServer((request, response) => {
    if (request.headers.authorization !== undefined) leaked.push("authorization");
    const [, name = "", file] = decodeURIComponent(request.url ?? "").split("/");
    const found = packages.get(name);
    if (found === undefined) response.writeHead(404).end("{}");
    else response.end(file === undefined ? JSON.stringify(found.manifest) : found.tarball);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return {
    url,
    leaked,
    async add(name: string, fields: object, code: string) {
      const manifest = { name, version: "1.0.0", main: "index.js", ...fields };
      const files = { "package/package.json": JSON.stringify(manifest), "package/index.js": code };
      const tarball = gzipSync(Buffer.concat(await Array.fromAsync(tarOf(files))));
      const integrity = `sha512-${createHash("sha512").update(tarball).digest("base64")}`;
      const version = { ...manifest, dist: { tarball: `${url}${name}/1.0.0.tgz`, integrity }, hasInstallScript: true };
      packages.set(name, {
        manifest: { name, "dist-tags": { latest: "1.0.0" }, versions: { "1.0.0": version } },
        tarball,
      });
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
