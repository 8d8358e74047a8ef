// README.md: its examples run as they stand there, its tables are true, and its map has every file.
import { deepEqual, equal, ok } from "node:assert/strict";
import { glob, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Child } from "../../../testing/src/child.ts";
import { anchorsOf, blocksOf, typeCheck } from "../../../testing/src/markdown.ts";
import { defaultTimeoutMs } from "./client.ts";
import { clientKeepalive, connectionsDefaults, listenDefaults, serverKeepalive } from "./defaults.ts";
import { defaultLimits } from "./http2/limits.ts";

const here = import.meta.dirname;
const readme = await readFile(join(here, "README.md"), "utf8");

describe("an example of the README", () => {
  // Below the workspace, so that its packages are found, and where the guides' examples are checked as well.
  const check = join(here, "..", "..", "..", "docs", ".check");
  let folder: string;
  before(async () => {
    await mkdir(check, { recursive: true });
    folder = await mkdtemp(join(check, "rpc-"));
    for (const { file, text } of blocksOf(readme)) await writeFile(join(folder, file), text);
  });
  after(() => rm(folder, { recursive: true, force: true }));
  const run = (file: string, ...args: string[]) => new Child(join(folder, file), args, { cwd: folder, env: {} });

  it("type-checks", { timeout: 280_000 }, async () => {
    equal(await typeCheck(join(folder, "types"), { "README.md": readme }), "");
  });

  it("is a server and a client that talk, through the proxy as well", async () => {
    await using server = run("server.ts", "127.0.0.1:0");
    const to = (await server.saying(/serving on (\S+)/))[1] as string;
    await using proxy = run("proxy.ts", "127.0.0.1:0", to);
    const through = (await proxy.saying(/serving on (\S+)/))[1] as string;
    for (const address of [to, through]) {
      await using client = run("client.ts", address);
      deepEqual(await client.ended, { code: 0, stdout: "Hello Jane\nHello Joe\nHello Ada\n", stderr: "" });
    }
  });

  it("is of 20 lines, server and client together", () => {
    const lines = blocksOf(readme)
      .filter(({ file }) => file === "server.ts" || file === "client.ts")
      .flatMap(({ text }) => text.split("\n").filter((line) => line.trim() !== "" && !line.startsWith("// ")));
    ok(lines.length <= 20, `${lines.length} lines`);
  });

  it("calls typed functions", async () => {
    await using typed = run("typed.ts");
    const { code, stdout, stderr } = await typed.within(60_000);
    equal(code, 0, stderr);
    equal(stdout, "the first\n");
  });
});

const units: Readonly<Record<string, number>> = { "": 1, s: 1000, min: 60_000, KiB: 1024, MiB: 1024 ** 2 };

/** A default as the tables write it. */
function readValue(text: string): number | boolean {
  if (text === "yes" || text === "no") return text === "yes";
  if (/^0\d+$/.test(text)) return Number.parseInt(text, 8);
  const [, digits = "", unit = ""] = /^([\d,]+) ?(\w*)$/.exec(text) ?? [];
  return Number(digits.replaceAll(",", "")) * (units[unit] ?? Number.NaN);
}

/** The rows between the marks: names and defaults. */
function table(mark: string): Record<string, number | boolean> {
  const part = readme.split(`<!-- ${mark} -->`)[1]?.split(`<!-- /${mark} -->`)[0] ?? "";
  return Object.fromEntries(
    Array.from(part.matchAll(/^\| `([\w.]+)` \| ([^|]+) \|/gm), ([, name = "", text = ""]) => [
      name,
      readValue(text.trim()),
    ]),
  );
}

const under = (prefix: string, values: object) =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [`${prefix}.${name}`, value]));

describe("the README's table", () => {
  it("of limits has each with its default", () => deepEqual(table("limits"), { ...defaultLimits }));

  it("of listen's options has their defaults", () =>
    deepEqual(table("listen"), { ...listenDefaults, ...under("keepalive", serverKeepalive) }));

  it("of Connections' options has their defaults", () => {
    // Only servers hold their peers to an interval.
    const { minIntervalMs: _, ...keepalive } = clientKeepalive;
    deepEqual(table("connections"), { ...connectionsDefaults, ...under("keepalive", keepalive) });
    equal(Number(/gives unary calls (\d+) s/.exec(readme)?.[1]) * 1000, defaultTimeoutMs);
  });
});

describe("the comments of limits.ts", () => {
  it("have the defaults", async () => {
    const source = await readFile(join(here, "http2", "limits.ts"), "utf8");
    const [body = ""] = source.split("export const defaultLimits");
    const found = body.matchAll(/Default ([\d,]+(?: \w+)?)[^*]*\*\/\s+readonly (\w+)/g);
    const told = Object.fromEntries(Array.from(found, ([, text = "", name = ""]) => [name, readValue(text)]));
    deepEqual(told, { ...defaultLimits });
  });
});

describe("the README's map", () => {
  const map = readme.split("## Where to change what")[1]?.split("\n## ")[0] ?? "";
  const named = new Set(Array.from(map.matchAll(/`([\w./-]+(?:\.ts|\/))`/g), ([, name]) => name));

  it("has every file", async () => {
    const missing: string[] = [];
    for await (const path of glob("**/*.ts", { cwd: here })) {
      const file = path.replaceAll("\\", "/");
      const inFolder = named.has(file.replace(/\/.*/, "/"));
      if (!file.endsWith(".test.ts") && !named.has(file) && !inFolder) missing.push(file);
    }
    deepEqual(missing, []);
  });

  it("names only files that are there, and so do the other tables and links", async () => {
    const files = Array.from(readme.matchAll(/`((?:http2\/|hpack\/|web\/)?[a-z0-9-]+\.ts)`/g), ([, file = ""]) => file);
    const inHpack = new Set(["encoder.ts", "decoder.ts", "indexing.ts"]);
    for (const file of files) await readFile(join(here, inHpack.has(file) ? "hpack" : "", file));
    for (const [, link = "", anchor] of readme.matchAll(/\]\(([^)#]*)(?:#([^)]*))?\)/g)) {
      const text = link === "" ? readme : await readFile(join(here, link), "utf8");
      if (anchor !== undefined) ok(anchorsOf(text).has(anchor), anchor);
    }
  });
});
