import type { Bench } from "../bench.ts";
import { HttpConnection, httpRequest } from "../http-connection.ts";
import { openLoop } from "../load.ts";
import { type MicroServer, startMicroServer } from "../micro-server.ts";
import { storeWritersFile } from "../peers/store-writers.ts";
import type { Row } from "../row.ts";

/** Calls a second: few enough for an idle server to answer each before the next, so that what is timed is a call and not a queue of them. */
const rate = 500;
const connections = 64;

/** What callers of a service that has nothing to do with the store see of those who write to it. */
export const gatewayUnderWrites: Row = {
  name: "gateway-under-writes",
  title: `Gateway, GET with query, ${rate} calls a second whatever the answers take: 99th percentile of the latency`,
  unit: "ms",
  contenders: {
    writing: "micro server while 64 writers write 200 B each again and again through its proxy",
    idle: "the same server, nobody writes",
  },
  bars: [{ text: "≤ 2× idle", of: "writing", against: "idle", atMost: 2 }],
  profiled: ["server"],
  async open(bench) {
    const server = await startMicroServer(bench, "writing");
    await server.deployHelloworld();
    const authorization = await server.authorization();
    const call = await pooledCall(bench, server, authorization);
    const writers = bench.start("writers", storeWritersFile, [server.addresses.proxy, authorization]);
    await writers.message();
    const idle = (ms: number) => openLoop(call, { rate, ms, signal: bench.signal });
    return {
      writing: async (ms) => {
        writers.send("write");
        const sample = await idle(ms);
        const written = writers.message();
        writers.send("rest");
        const n = await written;
        if ((n as number) === 0) throw new Error("the writers have written nothing");
        return sample;
      },
      idle,
    };
  },
};

/** A call on a connection that has none under way. */
async function pooledCall(bench: Bench, server: MicroServer, authorization: string): Promise<() => Promise<void>> {
  const request = httpRequest("/helloworld/call?name=Jane", { Authorization: authorization });
  const open = async () => bench.use(await HttpConnection.open(server.addresses.api, request, '{"msg":"Hello Jane"}'));
  const free = await Promise.all(Array.from({ length: connections }, open));
  return async () => {
    const connection = free.pop() ?? (await open());
    await connection.request();
    free.push(connection);
  };
}
