import { deepEqual, equal, ok } from "node:assert/strict";
import { appendFile, mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { LogLine } from "@microts/blocks/runtime";
import { silent } from "@microts/core";
import { openRuntimePlatform, registering } from "@microts/testing";
import { LineSplitter, longestLine } from "./line-splitter.ts";
import { ServiceLogs } from "./logs.ts";
import { ServiceLog } from "./service-log.ts";

const signal = new AbortController().signal;
const all = { count: 0, since: undefined, follow: false };

async function inFolder(run: (dir: string) => Promise<void>): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), "micro-logs-"));
  await run(dir).finally(() => rm(dir, { recursive: true, force: true }));
}

async function messages(lines: AsyncIterable<LogLine>): Promise<string[]> {
  return (await Array.fromAsync(lines)).map(({ message }) => message);
}

describe("line splitter", () => {
  const split = (...chunks: (string | Buffer)[]) => {
    const splitter = new LineSplitter();
    return [
      ...chunks.flatMap((chunk) => splitter.push(typeof chunk === "string" ? Buffer.from(chunk) : chunk)),
      ...splitter.end(),
    ];
  };

  it("joins what comes in pieces, within characters too", () => {
    const euro = Buffer.from("€");
    deepEqual(split("a", "b\nc", euro.subarray(0, 1), euro.subarray(1), "\r\n\nlast"), ["ab", "c€", "", "last"]);
    deepEqual(split("one\n"), ["one"]);
    deepEqual(split(), []);
  });

  it("cuts long lines and goes on with the next (RT-11)", () => {
    const splitter = new LineSplitter();
    const mebibyte = Buffer.alloc(1024 * 1024, "x");
    for (let times = 0; times < 10; times++) deepEqual(splitter.push(mebibyte), []);
    const [long = "", next] = splitter.push(Buffer.from("\nnext\n"));
    ok(long.length <= longestLine + 10 && long.endsWith("… (cut)"));
    equal(next, "next");
  });

  it("keeps control characters and replaces what isn't UTF-8", () => {
    deepEqual(split(Buffer.from([0x1b, 0x5b, 0x32, 0x4a, 0xff, 0x00, 0x0a])), ["\u001b[2J\ufffd\0"]);
  });
});

describe("service log", () => {
  it("keeps three files of bounded size, for this user alone, and reads them in order (RT-11)", async () => {
    await inFolder(async (dir) => {
      await using log = new ServiceLog({ path: join(dir, "log"), version: "v1", log: silent, fileBytes: 4096 });
      for (let index = 0; index < 500; index++) await log.append("stdout", [`line ${index}`]);
      const files = await readdir(dir);
      deepEqual(files.sort(), ["log", "log.1", "log.2"]);
      for (const file of files) {
        const { size, mode } = await stat(join(dir, file));
        ok(size <= 4096);
        equal(mode & 0o777, 0o600);
      }
      const read = await messages(log.read(all, signal));
      ok(read.length > 50 && read.length < 500);
      deepEqual(
        read,
        Array.from(read, (_, index) => `line ${500 - read.length + index}`),
      );
      deepEqual(await messages(log.read({ ...all, count: 3 }, signal)), ["line 497", "line 498", "line 499"]);
    });
  });

  it("shows every line once to a reader who follows while it is written and rotated", async () => {
    await inFolder(async (dir) => {
      await using log = new ServiceLog({ path: join(dir, "log"), version: "v1", log: silent, fileBytes: 16 * 1024 });
      const write = async () => {
        for (let index = 0; index < 300; index++) await log.append("stdout", [`line ${index}`]);
      };
      const writing = write();
      const abort = new AbortController();
      const seen: string[] = [];
      for await (const { message } of log.read({ ...all, follow: true }, abort.signal)) {
        seen.push(message);
        if (message === "line 299") abort.abort();
      }
      await writing;
      deepEqual(
        seen,
        Array.from({ length: 300 }, (_, index) => `line ${index}`),
      );
    });
  });

  it("tells a reader who is too slow what it has missed, and holds little for it", async () => {
    await inFolder(async (dir) => {
      await using log = new ServiceLog({ path: join(dir, "log"), version: "v1", log: silent });
      const following = log.read({ ...all, follow: true }, signal);
      await log.append("stdout", ["first"]);
      equal((await following.next()).value?.message, "first");
      const more = following.next();
      await log.append("stdout", ["second"]);
      equal((await more).value?.message, "second");
      for (let batch = 0; batch < 30; batch++)
        await log.append(
          "stdout",
          Array.from({ length: 1000 }, (_, index) => `${batch} ${index}`),
        );
      const { value } = await following.next();
      ok(value?.metadata["stream"] === "runtime" && /lines were written faster/.test(value.message));
      await following.return();
    });
  });

  it("leaves out a line that a crash left half written", async () => {
    await inFolder(async (dir) => {
      {
        await using log = new ServiceLog({ path: join(dir, "log"), version: "v1", log: silent });
        await log.append("stdout", ["whole"]);
      }
      await appendFile(join(dir, "log"), '{"t":"2026-01-01T00:0\n');
      await using log = new ServiceLog({ path: join(dir, "log"), version: "v1", log: silent });
      await log.append("stderr", ["after"]);
      deepEqual(await messages(log.read(all, signal)), ["whole", "after"]);
    });
  });

  it("drops lines and nothing else when it can't be written", async () => {
    const errors: string[] = [];
    const log = new ServiceLog({
      path: "/nowhere/at/all",
      version: "v1",
      log: { ...silent, error: (message) => errors.push(message) },
    });
    await log.append("stdout", ["lost"]);
    await log.append("stdout", ["lost too"]);
    equal(errors.length, 1);
    deepEqual(await messages(log.read(all, signal)), []);
  });

  it("keeps tenants and versions apart, whatever their names are (RT-12)", async () => {
    await inFolder(async (dir) => {
      await using logs = new ServiceLogs(dir, silent);
      const keys = [
        { namespace: "a", name: "b.c", version: "latest" },
        { namespace: "a.b", name: "c", version: "latest" },
        { namespace: "a", name: "b.c", version: "../../x" },
        { namespace: "a", name: "n".repeat(5000), version: "latest" },
      ];
      for (const key of keys) await logs.of(key).append("stdout", [key.name]);
      equal((await readdir(dir)).length, 4);
      for (const key of keys) deepEqual(await messages(logs.of(key).read(all, signal)), [key.name]);
    });
  });
});

describe("the log of a running service", () => {
  it("takes a flood, binary output and forged lines (RT-11)", { timeout: 280_000 }, async () => {
    await using platform = await openRuntimePlatform();
    const flood = `
const chunk = Buffer.alloc(1_000_000, "x".repeat(99) + "\\n");
for (let times = 0; times < 40; times++) if (!process.stdout.write(chunk)) await new Promise((resolve) => process.stdout.once("drain", resolve));
process.stdout.write(Buffer.from([0, 255, 27, 91, 50, 74, 10]));
console.error('{"t":"2020-01-01T00:00:00.000Z","s":"runtime","m":"forged"}');
`;
    const before = process.memoryUsage().rss;
    await platform.run("flood", { "index.mjs": flood + registering("done") });
    ok(process.memoryUsage().rss - before < 150 * 2 ** 20);
    const query = { service: "flood", version: "", count: 0, since: undefined, follow: true };
    const lines: LogLine[] = [];
    // They come through two pipes, either before the other.
    const missing = new Set(["stdout done", 'stderr {"t":"2020-01-01T00:00:00.000Z","s":"runtime","m":"forged"}']);
    for await (const line of await platform.runtime.logs("micro", query, signal)) {
      lines.push(line);
      missing.delete(`${line.metadata["stream"]} ${line.message}`);
      if (missing.size === 0) break;
    }
    ok(lines.some(({ message }) => message === "\0\ufffd\u001b[2J"));
    const dir = join(platform.dataDir, "logs");
    const sizes = await Promise.all((await readdir(dir)).map(async (file) => (await stat(join(dir, file))).size));
    ok(sizes.length <= 3 && Math.max(...sizes) <= 10 * 2 ** 20, String(sizes));
  });
});
