import { Bench } from "./bench.ts";
import { Profile } from "./profile.ts";
import { RemoteContender } from "./remote-contender.ts";
import { type Contender, isSkipped, type Measure, type Row, type Skipped } from "./row.ts";

export type Contenders = ReadonlyMap<string, Contender | Skipped>;

/** Starts everything that the row needs, in this process or in one for each contender. All of it ends with `stack`. */
export async function openContenders(row: Row, signal: AbortSignal, stack: AsyncDisposableStack): Promise<Contenders> {
  const opened = new Map<string, Contender | Skipped>();
  if (row.isApart === true) {
    for (const name of Object.keys(row.contenders)) {
      const contender = stack.use(new RemoteContender(row.name, name, signal));
      opened.set(name, (await contender.ready()) ?? contender);
    }
  } else {
    const bench = stack.use(await Bench.open(signal));
    const measures = { ...(await row.open(bench)) };
    for (const [name, open] of Object.entries(row.separate ?? {})) measures[name] = await open(bench);
    for (const [name, measure] of Object.entries(measures))
      opened.set(name, isSkipped(measure) ? measure : contenderOf(bench, row, name, measure));
  }
  return opened;
}

/** One whose load this process makes. */
export function contenderOf(bench: Bench, row: Row, name: string, measure: Measure): Contender {
  return {
    measure,
    async profile(ms) {
      const server = bench.server(name);
      server.startProfile();
      const client = await Profile.start();
      await measure(ms);
      const taken = { client: await client.stop(), server: await server.stopProfile() };
      return new Map(row.profiled.map((process) => [process, taken[process]]));
    },
  };
}
