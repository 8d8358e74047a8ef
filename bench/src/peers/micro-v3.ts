import { join } from "node:path";
import type { Bench } from "../bench.ts";
import { microV3, startMicroV3 } from "../engines/micro-v3.ts";
import type { Measure, Sample, Skipped } from "../row.ts";
import { echoServiceFile } from "./echo-service.ts";
import { helloworldFolder } from "./hello.ts";
import { type MicroV3Work, microV3LoadFile } from "./micro-v3-load.ts";

/** Starts Micro v3 and, inside its network, the service that the work is about and the process that makes the load. */
export async function measureMicroV3(bench: Bench, work: MicroV3Work): Promise<Measure | Skipped> {
  const started = await startMicroV3(bench);
  if ("skipped" in started) return started;
  const options = { network: started.network, isProfiled: false };
  const args: string[] = [work];
  if (work === "proxy") args.push((await bench.serve("micro-v3-echo", echoServiceFile, [], options)).address);
  const load = bench.start("micro-v3-load", microV3LoadFile, args, options);
  await load.message();
  // It doesn't wait for a server that is still starting.
  if (work === "gateway-get" || work === "gateway-post") startHelloworld(bench, started.network);
  load.send("go on");
  await load.message();
  return async (ms) => {
    const answer = load.message();
    load.send(String(ms));
    return (await answer) as Sample;
  };
}

/** The same service as behind our gateway, started by hand, since Micro v3 runs Go only: it signs in and registers as a service of Micro v3 does. */
function startHelloworld(bench: Bench, network: string): void {
  const { PATH } = process.env;
  const { admin, proxy } = microV3;
  const account = { MICRO_AUTH_ID: admin.id, MICRO_AUTH_SECRET: admin.secret };
  const env = { PATH, HOME: bench.folder, MICRO_PROXY: proxy, ...account };
  bench.start("micro-v3-helloworld", join(helloworldFolder, "index.ts"), [], { network, env, isProfiled: false });
}
