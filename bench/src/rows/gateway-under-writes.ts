import type { Bench } from "../bench.ts";
import { HttpConnection, httpRequest } from "../http-connection.ts";
import { openLoop } from "../load.ts";
import { type MicroServer, startMicroServer } from "../micro-server.ts";
import { storeWritersFile } from "../peers/store-writers.ts";
import type { Measure, Row, Skipped } from "../row.ts";
import { slowDisk } from "../slow-disk.ts";

/** Calls a second: few enough for an idle server to answer each before the next, so that what is timed is a call and not a queue of them. */
const rate = 500;
const connections = 64;

/** As of a hard disk, or of a small volume over a network: long enough that the disk, not two processors, is what 64 writers use up. */
const slowMs = 5;

/** What callers of a service that has nothing to do with the store see of those who write to it. */
export const gatewayUnderWrites: readonly Row[] = [
  rowOf("gateway-under-writes", "on this machine's disk", async () => ({})),
  rowOf("gateway-under-slow-writes", `on a disk whose every sync takes ${slowMs} ms longer`, (bench) =>
    slowDisk(bench, slowMs),
  ),
];

function rowOf(name: string, where: string, disk: (bench: Bench) => Promise<NodeJS.ProcessEnv | Skipped>): Row {
  return {
    name,
    title: `Gateway, GET with query, ${rate} calls a second whatever the answers take, ${where}: 99th percentile of the latency`,
    unit: "ms",
    contenders: {
      writing: "micro server while 64 writers write 200 B each again and again through its proxy",
      elsewhere: "the same server while the 64 write to another one: what sharing processors and disk with it costs",
      idle: "the same server, nobody writes",
    },
    bars: [{ text: "≤ 2× idle", of: "writing", against: "idle", atMost: 2 }],
    profiled: ["server"],
    async open(bench) {
      const env = await disk(bench);
      if ("skipped" in env) return { writing: env as Skipped, elsewhere: env as Skipped, idle: env as Skipped };
      const server = await startMicroServer(bench, "writing", { env });
      await server.deployHelloworld();
      const idle = await timedCalls(bench, server);
      return {
        writing: await beside(bench, server, idle),
        elsewhere: await beside(bench, await startMicroServer(bench, "elsewhere", { env }), idle),
        idle,
      };
    },
  };
}

/** The same, while a process writes to a server. */
async function beside(bench: Bench, server: MicroServer, measure: Measure): Promise<Measure> {
  const { proxy } = server.addresses;
  const writers = bench.start(`writers to ${proxy}`, storeWritersFile, [proxy, await server.authorization()]);
  await writers.message();
  return async (ms) => {
    writers.send("write");
    const sample = await measure(ms);
    const written = writers.message();
    writers.send("rest");
    if ((await written) === 0) throw new Error("the writers have written nothing");
    return sample;
  };
}

/** Calls at the fixed rate, each on a connection that has none under way. */
async function timedCalls(bench: Bench, server: MicroServer): Promise<Measure> {
  const request = httpRequest("/helloworld/call?name=Jane", { Authorization: await server.authorization() });
  const open = async () => bench.use(await HttpConnection.open(server.addresses.api, request, '{"msg":"Hello Jane"}'));
  const free = await Promise.all(Array.from({ length: connections }, open));
  const call = async () => {
    const connection = free.pop() ?? (await open());
    await connection.request();
    free.push(connection);
  };
  return (ms) => openLoop(call, { rate, ms, signal: bench.signal });
}
