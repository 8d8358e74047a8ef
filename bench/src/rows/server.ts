import { execFile } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import type { Bench } from "../bench.ts";
import { installedLauncher } from "../installed.ts";
import { MicroServer, sourceLauncher, startMicroServer } from "../micro-server.ts";
import type { Measure, Row, Skipped } from "../row.ts";
import { median } from "../table.ts";

const run = promisify(execFile);
/** The check of the database after the start is over by then. */
const settleMs = 7_000;

/** `micro server` and the command line as processes: as a user installs them, which is what the bars judge, and from the sources. */
export const server: readonly Row[] = [
  {
    name: "server-start",
    title: "micro server, start to all services ready, warm data directory",
    unit: "ms",
    contenders: {
      ours: "micro server as installed from its package",
      sources: "the same from the sources",
      node: "node -e 0",
    },
    bars: [{ text: "faster than Micro v3, which took 450–700 ms on another day", of: "ours", atMost: 450 }],
    profiled: [],
    open: (bench) => servers(bench, start, bareNode),
  },
  {
    name: "server-memory",
    title: "micro server, idle, resident memory",
    unit: "MiB",
    contenders: {
      ours: "micro server as installed from its package, all services, none deployed",
      sources: "the same from the sources",
      node: "an idle Node.js process",
    },
    bars: [{ text: "≤ 120 MiB", of: "ours", atMost: 120 }],
    profiled: [],
    open: (bench) => servers(bench, idleMemory, bareMemory),
  },
  {
    name: "cli",
    title: "The micro command, whole process",
    unit: "ms",
    contenders: {
      ours: "micro services against a running server, as installed from its package",
      call: "micro helloworld call, as installed",
      sources: "micro services from the sources",
      sourcesCall: "micro helloworld call from the sources",
      node: "node -e 0",
    },
    bars: [
      { text: "micro services ≤ 1.6× node -e 0", of: "ours", against: "node", atMost: 1.6 },
      { text: "micro helloworld call ≤ 1.6× node -e 0", of: "call", against: "node", atMost: 1.6 },
    ],
    profiled: [],
    async open(bench) {
      const platform = await startMicroServer(bench, "server");
      await platform.deployHelloworld();
      const packed = await installedLauncher();
      const command = (launcher: string, ...args: string[]): Measure => {
        return (ms) => repeated(ms, () => platform.microFrom(launcher, ...args));
      };
      const installed = (...args: string[]) => (typeof packed === "string" ? command(packed, ...args) : packed);
      const call = ["helloworld", "call", "--name=Jane"];
      return {
        ours: installed("services"),
        call: installed(...call),
        sources: command(sourceLauncher, "services"),
        sourcesCall: command(sourceLauncher, ...call),
        node: bareNode,
      };
    },
  },
];

type MeasureServer = (bench: Bench, home: string, launcher: string) => ReturnType<Measure>;

/** Measures the server of the package and that of the sources, each with a home of its own. */
async function servers(
  bench: Bench,
  measure: MeasureServer,
  node: Measure,
): Promise<Record<string, Measure | Skipped>> {
  const packed = await installedLauncher();
  const [home, sourcesHome] = [await bench.newFolder("home"), await bench.newFolder("home-sources")];
  return {
    ours: typeof packed === "string" ? () => measure(bench, home, packed) : packed,
    sources: () => measure(bench, sourcesHome, sourceLauncher),
    node,
  };
}

function bareNode(ms: number): ReturnType<Measure> {
  return repeated(ms, () => run(process.execPath, ["-e", "0"]));
}

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

async function start(bench: Bench, home: string, launcher: string): ReturnType<Measure> {
  const startedMs = performance.now();
  await using platform = new MicroServer(bench, "ours", home, { launcher });
  await platform.ready();
  return { value: performance.now() - startedMs };
}

async function idleMemory(bench: Bench, home: string, launcher: string): ReturnType<Measure> {
  await using platform = new MicroServer(bench, "ours", home, { launcher });
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
