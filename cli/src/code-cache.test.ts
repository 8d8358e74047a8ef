import { deepEqual, equal, ok } from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const codeCache = fileURLToPath(new URL("../bin/code-cache.js", import.meta.url));

describe("the kept code of the packed command", () => {
  let folder = "";
  let kept = "";
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "micro-code-cache-"));
    kept = join(folder, "kept");
    await mkdir(kept);
    await writes("const { twice } = require('./other.js'); module.exports = (n) => twice(n);");
    await writeFile(join(folder, "other.js"), "exports.twice = (n) => n * 2; exports.unused = (n) => n * 3;");
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const writes = (source: string) => writeFile(join(folder, "main.js"), source);
  /** What main.js makes of 21, in a process of its own. */
  const answer = async (main = "(21)", into = kept) => {
    const script = `console.log(require(${JSON.stringify(codeCache)}).requireKept(...process.argv.slice(1))${main})`;
    const { stdout, stderr } = await run(process.execPath, ["-e", script, join(folder, "main.js"), into]);
    equal(stderr, "");
    return stdout.trim();
  };
  const keptFile = async () => {
    const [name = ""] = (await readdir(kept)).filter((each) => each.endsWith("main-js"));
    return join(kept, name);
  };

  it("is used by the next process as it is", async () => {
    equal(await answer(), "42");
    equal((await readdir(kept)).length, 2);
    const { ino, mtimeMs } = await stat(await keptFile());
    equal(await answer(), "42");
    const again = await stat(await keptFile());
    deepEqual([again.ino, again.mtimeMs], [ino, mtimeMs]);
  });

  it("may be of many files", async () => {
    const names = Array.from({ length: 20 }, (_, n) => `./file${n}.js`);
    await Promise.all(names.map((name) => writeFile(join(folder, name), "exports.one = () => 1;")));
    await writes(`module.exports = () => ${JSON.stringify(names)}.reduce((sum, name) => sum + require(name).one(), 0)`);
    equal(await answer(), "20");
    equal((await readdir(kept)).length, 21);
  });

  it("has the functions that ran, not only what ran while the file was loaded", async () => {
    await answer(".name");
    const loaded = (await stat(await keptFile())).size;
    await rm(kept, { recursive: true });
    await mkdir(kept);
    await answer();
    const called = (await stat(await keptFile())).size;
    ok(called > loaded, `${called} bytes after a call, ${loaded} without`);
  });

  it("is not used for another source of the same length", async () => {
    await writes("module.exports = () => 1;");
    equal(await answer(), "1");
    await writes("module.exports = () => 2;");
    equal(await answer(), "2");
    equal(await answer(), "2");
  });

  for (const [how, damage] of Object.entries({
    "was cut off": (bytes: Buffer) => bytes.subarray(0, 10),
    "is empty": () => Buffer.alloc(0),
    "is of another version of V8": (bytes: Buffer) => Buffer.concat([Buffer.alloc(16), bytes.subarray(16)]),
  })) {
    it(`is made again when it ${how}`, async () => {
      await answer();
      const file = await keptFile();
      await writeFile(file, damage(await readFile(file)));
      equal(await answer(), "42");
      const { ino } = await stat(file);
      equal(await answer(), "42");
      equal((await stat(file)).ino, ino);
    });
  }

  it("is done without where nothing can be kept", async () => {
    equal(await answer("(21)", join(folder, "main.js", "none")), "42");
    equal(await answer("(21)", join(folder, "missing")), "42");
  });
});
