import type { Bench } from "../bench.ts";
import { startMicroV3 } from "../engines/micro-v3.ts";
import type { Measure, Sample, Skipped } from "../row.ts";
import { type MicroV3Work, microV3LoadFile } from "./micro-v3-load.ts";

/** Starts Micro v3 and, inside its network, the process that makes the load. */
export async function measureMicroV3(bench: Bench, work: MicroV3Work): Promise<Measure | Skipped> {
  const started = await startMicroV3(bench);
  if ("skipped" in started) return started;
  const { network } = started;
  const load = bench.start("micro-v3-load", microV3LoadFile, [work], { network, isProfiled: false });
  await load.message();
  return async (ms) => {
    const answer = load.message();
    load.send(String(ms));
    return (await answer) as Sample;
  };
}
