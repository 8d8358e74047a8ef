import { equal, ok } from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { platform } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { startServer } from "./micro.ts";

const largestBytes = 64 * 1024 * 1024;

describe("what a crash leaves of the server", {
  timeout: 280_000,
  skip: platform() !== "linux" && "Linux only",
}, () => {
  it("has no secret and no key in it (CF-01)", async (t) => {
    const rootKey = randomBytes(32);
    const secret = `canary-${randomBytes(12).toString("hex")}`;
    await using server = await startServer({ env: { MICRO_CONFIG_SECRET_KEY: rootKey.toString("base64") } });
    const { pid } = server.process;
    await server.output("config", "set", "--secret", "pw", secret);
    equal(await server.output("config", "get", "--secret", "pw"), `${secret}\n`);
    equal(Number.parseInt(await readFile(`/proc/${pid}/coredump_filter`, "utf8"), 16), 0);

    const pattern = (await readFile("/proc/sys/kernel/core_pattern", "utf8")).trim();
    if (/[|/]/.test(pattern)) return t.skip(`this system keeps core dumps elsewhere (${pattern})`);
    await promisify(execFile)("prlimit", ["--core=unlimited", "--pid", String(pid)]);
    await server.kill("SIGABRT");
    const folder = server.machine.work;
    const dumps = (await readdir(folder)).filter((name) => name.startsWith("core"));
    equal(dumps.length, 1, `one core dump in ${folder}`);
    const dump = join(folder, dumps[0] ?? "");
    const { size } = await stat(dump);
    ok(size < largestBytes, `the core dump has ${size} bytes: the memory is in it`);
    const bytes = await readFile(dump);
    for (const form of [secret, rootKey, rootKey.toString("base64"), rootKey.toString("hex")])
      equal(bytes.includes(form), false);
  });
});
