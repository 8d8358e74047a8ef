import { execFile } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import type { Bench } from "../bench.ts";
import { MicroServer, startMicroServer } from "../micro-server.ts";
import type { Measure, Row } from "../row.ts";
import { median } from "../table.ts";

const run = promisify(execFile);
/** The check of the database after the start is over by then. */
const settleMs = 7_000;

/** `micro server` and the command line as processes. */
export const server: readonly Row[] = [
  {
    name: "server-start",
    title: "micro server from sources, start to all services ready, warm data directory",
    unit: "ms",
    contenders: { ours: "micro server", node: "node -e 0" },
    bars: [{ text: "faster than Micro v3, which took 450–700 ms on another day", of: "ours", atMost: 450 }],
    profiled: [],
    async open(bench) {
      const home = await bench.newFolder("home");
      return { ours: () => start(bench, home), node: (ms) => repeated(ms, () => run(process.execPath, ["-e", "0"])) };
    },
  },
  {
    name: "server-memory",
    title: "micro server from sources, idle, resident memory",
    unit: "MiB",
    contenders: { ours: "micro server, all services, none deployed", node: "an idle Node.js process" },
    bars: [{ text: "≤ 120 MiB", of: "ours", atMost: 120 }],
    profiled: [],
    async open(bench) {
      const home = await bench.newFolder("home");
      return { ours: () => idleMemory(bench, home), node: bareMemory };
    },
  },
  {
    name: "cli",
    title: "The micro command, whole process, from sources",
    unit: "ms",
    contenders: { ours: "micro services against a running server", call: "micro helloworld call", node: "node -e 0" },
    bars: [
      { text: "micro services ≤ 1.6× node -e 0", of: "ours", against: "node", atMost: 1.6 },
      { text: "micro helloworld call ≤ 1.6× node -e 0", of: "call", against: "node", atMost: 1.6 },
    ],
    profiled: [],
    async open(bench) {
      const platform = await startMicroServer(bench, "server");
      await platform.deployHelloworld();
      const command = (...args: string[]): Measure => {
        return (ms) => repeated(ms, () => platform.micro(...args));
      };
      return {
        ours: command("services"),
        call: command("helloworld", "call", "--name=Jane"),
        node: (ms) => repeated(ms, () => run(process.execPath, ["-e", "0"])),
      };
    },
  },
];

/** The median time of running it again and again. */
async function repeated(ms: number, once: () => Promise<unknown>): ReturnType<Measure> {
  const times: number[] = [];
  const endMs = performance.now() + ms;
  do {
    const startedMs = performance.now();
    await once();
    times.push(performance.now() - startedMs);
  } while (performance.now() < endMs);
  return { value: median(times) };
}

async function start(bench: Bench, home: string): ReturnType<Measure> {
  const startedMs = performance.now();
  await using platform = new MicroServer(bench, "ours", home);
  await platform.ready();
  return { value: performance.now() - startedMs };
}

async function idleMemory(bench: Bench, home: string): ReturnType<Measure> {
  await using platform = new MicroServer(bench, "ours", home);
  await platform.ready();
  await delay(settleMs, undefined, { signal: bench.signal });
  return { value: await platform.process.residentMiB() };
}

async function bareMemory(): ReturnType<Measure> {
  const script = "console.log(require('fs').readFileSync('/proc/self/status', 'utf8'))";
  const { stdout } = await run(process.execPath, ["-e", script]);
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(stdout)?.[1];
  return { value: Number(kilobytes) / 1024 };
}
