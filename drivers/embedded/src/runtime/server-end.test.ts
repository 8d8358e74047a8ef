import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, it } from "node:test";
import { openRuntimePlatform, registering } from "@microts/testing";
import { LoopClock } from "../../../../testing/src/loop-clock.ts";
import { untilTrue } from "../../../../testing/src/until.ts";

const signal = new AbortController().signal;

/** Prints its process id and registers, after `code` and before `then`. */
const service = (code: string, then = "") =>
  `${code}\nconsole.log("pid " + process.pid);\n${registering("ready", then)}`;

async function isAlive(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, "latin1").catch(() => "");
  return stat !== "" && !/\) Z /.test(stat);
}

describe("the end of a server", () => {
  it("ends every service when the server is killed, and the next server starts each once (RT-04)", async () => {
    const dataDir = await mkdtemp(join(tmpdir(), "micro-runtime-kill-"));
    try {
      const { server, pids: before } = await serverWith(dataDir, 4);
      equal(before.length, 8);
      using clock = new LoopClock();
      server.kill("SIGKILL");
      await untilTrue(async () => !(await Promise.all(before.map(isAlive))).includes(true));
      ok(clock.ms <= 2000, `${clock.ms} ms`);
      await using platform = await openRuntimePlatform({ keep: dataDir });
      await untilTrue(
        async () =>
          (await platform.runtime.read("micro", "", "", signal)).filter(({ status }) => status === "running").length ===
          4,
      );
      equal(platform.registered.length, 4);
    } finally {
      await rm(dataDir, { recursive: true, force: true });
    }
  });

  it("kills what a killed server left running although it was too busy to notice (RT-04)", async () => {
    const dataDir = await mkdtemp(join(tmpdir(), "micro-runtime-kill-"));
    try {
      const { server, pids: before } = await serverWith(dataDir, 1, "busy");
      server.kill("SIGKILL");
      await new Promise((resolve) => server.once("exit", resolve));
      const [pid = 0] = before;
      equal(await isAlive(pid), true);
      await using platform = await openRuntimePlatform({ keep: dataDir });
      equal(await isAlive(pid), false);
      await platform.runtime.delete("micro", "s0", "latest", signal);
    } finally {
      await rm(dataDir, { recursive: true, force: true });
    }
  });

  it("starts nothing again that was deleted or never ran, and rebuilds from the source blob what has lost its folder", async () => {
    const dataDir = await mkdtemp(join(tmpdir(), "micro-runtime-again-"));
    try {
      {
        await using platform = await openRuntimePlatform({ keep: dataDir });
        await platform.run("kept", { "index.mjs": service("") });
        await platform.run("gone", { "index.mjs": service("") });
        await platform.runtime.delete("micro", "gone", "latest", signal);
        await rejects(platform.run("broken", { "index.ts": "const x: = 1;" }), { code: 400 });
      }
      await rm(join(dataDir, "runtime"), { recursive: true });
      await using platform = await openRuntimePlatform({ keep: dataDir });
      await untilTrue(async () => (await platform.runtime.read("micro", "kept", "", signal))[0]?.status === "running");
      const services = await platform.runtime.read("micro", "", "", signal);
      deepEqual(
        services.map(({ name, status }) => `${name} ${status}`),
        ["broken error", "kept running"],
      );
    } finally {
      await rm(dataDir, { recursive: true, force: true });
    }
  });
});

/** Runs a platform with services in a process of its own, which can be killed; each service has a child. */
async function serverWith(
  dataDir: string,
  count: number,
  kind: "child" | "busy" = "child",
): Promise<{ server: ChildProcess; pids: number[] }> {
  const services: Readonly<Record<typeof kind, string>> = {
    child: service('import { spawn } from "node:child_process";\nconsole.log("pid " + spawn("sleep", ["300"]).pid);'),
    busy: service("", 'console.log("busy"); const end = Date.now() + 30_000; while (Date.now() < end);'),
  };
  const script = `
import { openRuntimePlatform } from "@microts/testing";
const platform = await openRuntimePlatform({ keep: ${JSON.stringify(dataDir)} });
const code = ${JSON.stringify(services[kind])};
await Promise.all(Array.from({ length: ${count} }, async (_, index) => {
  const name = "s" + index;
  await platform.run(name, { "index.mjs": code });
  const isMissing = (messages) => ${kind === "busy"} && !messages.includes("busy");
  while (isMissing(await platform.messages(name))) await new Promise((resolve) => setTimeout(resolve, 10));
  for (const message of await platform.messages(name)) if (message.startsWith("pid ")) console.log(message);
}));
console.log("up");
`;
  const server = spawn(process.execPath, ["--input-type=module", "--eval", script], {
    stdio: ["ignore", "pipe", "inherit"],
    cwd: import.meta.dirname,
  });
  const found: number[] = [];
  for await (const line of createInterface(server.stdout)) {
    if (line === "up") return { server, pids: found };
    found.push(Number(line.slice(4)));
  }
  throw new Error("the server ended by itself");
}
