import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { openRuntimePlatform, type RuntimePlatform, registering, tarOf } from "@microts/testing";
import { LoopClock } from "../../../../testing/src/loop-clock.ts";
import { untilTrue } from "../../../../testing/src/until.ts";

const signal = new AbortController().signal;

/** Prints its process id and registers, after `code` and before `then`. */
const service = (code: string, then = "") =>
  `${code}\nconsole.log("pid " + process.pid);\n${registering("ready", then)}`;

async function pids(platform: RuntimePlatform, name: string): Promise<number[]> {
  return (await platform.messages(name)).flatMap((line) => (line.startsWith("pid ") ? [Number(line.slice(4))] : []));
}

async function isAlive(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, "latin1").catch(() => "");
  return stat !== "" && !/\) Z /.test(stat);
}

async function statusOf({ runtime }: RuntimePlatform, name: string) {
  const [found] = await runtime.read("micro", name, "", signal);
  return { status: found?.status, error: found?.metadata["error"] ?? "", retries: found?.metadata["retries"] };
}

describe("supervision", () => {
  it("starts a crashing service at most 8 times in ten minutes, ever later, and says why (RT-01)", async () => {
    let now = 0;
    const delays: number[] = [];
    const asleep = Promise.withResolvers<void>();
    const clock = {
      now: () => now,
      sleep: async (ms: number, stop: AbortSignal) => {
        delays.push(ms);
        if (now + ms > 600_000) {
          asleep.resolve();
          return new Promise<never>((_, reject) => stop.addEventListener("abort", () => reject(stop.reason)));
        }
        await turn();
        now += ms;
      },
    };
    await using platform = await openRuntimePlatform({ clock });
    const crashes = 'process.stdout.write("about to crash\\n", () => process.exit(1));';
    const code = `import { existsSync, writeFileSync } from "node:fs";\nif (existsSync("ran")) { ${crashes} } else writeFileSync("ran", "");`;
    const later = `setTimeout(() => { ${crashes} }, 100);`;
    await platform.run("crash", { "index.mjs": `${code}\n${registering("first", later)}` });
    await asleep.promise;
    const { status, error, retries } = await statusOf(platform, "crash");
    equal(status, "error");
    match(
      error,
      /exited with code 1.*times in a row\); it is started again \d+ s later\nIt printed:\n {2}about to crash/,
    );
    ok(Number(retries) + 1 <= 8, `${retries} restarts`);
    ok(
      delays.every((delay, index) => index === 0 || delay >= Math.min(300_000, 2 * (delays[index - 1] ?? 0))),
      String(delays),
    );
    equal(Math.max(...delays), 300_000);
  });

  it("counts a clean exit as one, and an hour of health as a new beginning (RT-01)", async () => {
    let now = 0;
    const delays: number[] = [];
    const clock = { now: () => now, sleep: async (ms: number) => void delays.push(ms) };
    await using platform = await openRuntimePlatform({ clock });
    await platform.run("ends", { "index.mjs": service("", "setTimeout(() => process.exit(0), 300);") });
    await untilTrue(
      async () => platform.registered.length === 2 && (await statusOf(platform, "ends")).status === "running",
    );
    now += 3_600_000;
    await untilTrue(() => delays.length === 2);
    deepEqual(delays, [100, 100]);
  });

  it("kills a service that ignores SIGTERM after its grace, and answers others meanwhile (RT-02)", async () => {
    await using platform = await openRuntimePlatform({ stopGraceMs: 600 });
    await platform.run("stubborn", { "index.mjs": service('process.on("SIGTERM", () => console.log("no"));') });
    const [pid = 0] = await pids(platform, "stubborn");
    using clock = new LoopClock();
    const began = performance.now();
    const deleted = platform.runtime
      .delete("micro", "stubborn", "latest", signal)
      .then(() => ({ tookMs: performance.now() - began, loopMs: clock.ms }));
    await untilTrue(async () => (await statusOf(platform, "stubborn")).status === "stopping");
    await platform.run("other", { "index.mjs": service("") });
    equal((await statusOf(platform, "other")).status, "running");
    const { tookMs, loopMs } = await deleted;
    ok(tookMs >= 550 && loopMs < 3000, `${tookMs} ms`);
    equal(await isAlive(pid), false);
  });

  it("leaves no process of a service behind, whatever it has started (RT-03)", async () => {
    await using platform = await openRuntimePlatform();
    const spawning = `
import { spawn } from "node:child_process";
const sleep = (args, options) => { const child = spawn(args[0], args.slice(1), { stdio: ["ignore", "inherit", "ignore"], ...options }); console.log("pid " + child.pid); };
sleep(["sleep", "300"], {});
sleep(["sleep", "301"], { detached: true });
sleep(["sh", "-c", "(setsid sleep 302 & setsid sh -c 'trap \\"\\" TERM; sleep 303' &) & sleep 304"], {});
`;
    await platform.run("parent", { "index.mjs": service(spawning) });
    const { registered } = platform;
    const marked = async () => {
      const all = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
      const environments = await Promise.all(
        all.map((pid) => readFile(`/proc/${pid}/environ`, "latin1").catch(() => "")),
      );
      return environments.filter((text) => text.includes(`MICRO_SERVICE_NODE_ID=${registered[0]}\0`)).length;
    };
    await untilTrue(async () => (await marked()) >= 6);
    await platform.runtime.delete("micro", "parent", "latest", signal);
    equal(await marked(), 0);
  });

  it("runs as many instances as asked for, each with its own node id", async () => {
    await using platform = await openRuntimePlatform();
    await platform.run("many", { "index.mjs": service("") }, { instances: 3 });
    equal(new Set(platform.registered).size, 3);
    equal((await pids(platform, "many")).length, 3);
    match(platform.registered[0] ?? "", /^many-[0-9a-f-]{36}$/);
  });

  it("takes callers off the old before it stops, and only once the new has registered", async () => {
    await using platform = await openRuntimePlatform();
    await platform.run("greeter", { "index.mjs": service("") });
    const [old = 0] = await pids(platform, "greeter");
    const source = await platform.runtime.upload(
      "micro",
      "greeter",
      "latest",
      tarOf({ "index.mjs": service('console.log("new");') }),
      signal,
    );
    await platform.runtime.update(
      "micro",
      { name: "greeter", version: "latest", source, metadata: { a: "b" } },
      { entrypoint: "", instances: 2 },
      signal,
    );
    equal(platform.registered.length, 3);
    deepEqual(platform.drained, [platform.registered[0]]);
    equal(await isAlive(old), false);
    deepEqual(platform.events, ["service.created greeter", "service.updated greeter"]);
    deepEqual(await readdir(join(platform.dataDir, "runtime", "micro")).then(({ length }) => length), 1);
  });

  it("takes updates and a delete at the same time one after the other (RT-06)", async () => {
    await using platform = await openRuntimePlatform();
    const { runtime } = platform;
    await platform.run("greeter", { "index.mjs": service("") });
    const source = await runtime.upload(
      "micro",
      "greeter",
      "latest",
      tarOf({ "index.mjs": service('console.log("new");') }),
      signal,
    );
    const greeter = { name: "greeter", version: "latest", source, metadata: {} };
    await Promise.all([1, 2, 3].map(() => runtime.update("micro", greeter, { entrypoint: "", instances: 0 }, signal)));
    equal((await readdir(join(platform.dataDir, "runtime", "micro"))).length, 1);
    const updating = runtime.update("micro", greeter, { entrypoint: "", instances: 0 }, signal);
    const deleting = runtime.delete("micro", "greeter", "latest", signal);
    await rejects(updating, { code: 409 });
    await deleting;
    deepEqual(await runtime.read("micro", "", "", signal), []);
    deepEqual(await readdir(join(platform.dataDir, "runtime", "micro")), []);
    deepEqual(await readdir(join(platform.dataDir, "runtime-processes")), []);
    deepEqual(platform.revoked, ["micro/greeter/latest"]);
    deepEqual(await platform.blobs.list("micro", "", signal), []);
  });
});
