import { Bench } from "./bench.ts";
import { type Costs, Profile } from "./profile.ts";
import type { Measure, Row, Sample, Skipped } from "./row.ts";

export interface RunOptions {
  readonly rounds: number;
  /** Of one contender's turn. */
  readonly seconds: number;
  readonly signal: AbortSignal;
  /** Told what happens now. */
  progress(text: string): void;
}

export interface Result {
  readonly row: Row;
  /** One sample per round, by contender. */
  readonly samples: ReadonlyMap<string, readonly Sample[]>;
  readonly skipped: ReadonlyMap<string, string>;
  /** Where our contender's processes spend their time, by process. */
  readonly costs: ReadonlyMap<string, Costs>;
}

const warmUpMs = 2_000;

/** Runs one row: starts everything, warms up, takes the contenders in turn round after round, and profiles ours at the end. */
export async function runRow(row: Row, options: RunOptions): Promise<Result> {
  const { rounds, seconds, signal, progress } = options;
  await using bench = await Bench.open(signal);
  progress(`${row.name}: starting ${Object.keys(row.contenders).join(", ")}`);
  const opened = Object.entries(await row.open(bench));
  const measures = opened.flatMap(([name, measure]) => (isSkipped(measure) ? [] : [[name, measure] as const]));
  const skipped = opened.flatMap(([name, measure]) => (isSkipped(measure) ? [[name, measure.skipped] as const] : []));
  for (const [, measure] of measures) await measure(warmUpMs);
  const samples = new Map<string, Sample[]>(measures.map(([name]) => [name, []]));
  for (let round = 1; round <= rounds; round++) {
    const values: string[] = [];
    for (const [name, measure] of measures) {
      const sample = await measure(seconds * 1000);
      samples.get(name)?.push(sample);
      values.push(`${name} ${sample.value.toFixed(0)}`);
      signal.throwIfAborted();
    }
    progress(`${row.name}: round ${round} of ${rounds}: ${values.join(", ")}`);
  }
  const ours = measures.find(([name]) => name === Object.keys(row.contenders)[0]);
  const costs = ours === undefined ? new Map() : await profile(bench, row, ours);
  return { row, samples, skipped: new Map(skipped), costs };
}

/** One more turn, not counted, with the profilers on. */
async function profile(bench: Bench, row: Row, [name, measure]: readonly [string, Measure]): Promise<Result["costs"]> {
  if (row.profiled.length === 0) return new Map();
  const server = bench.server(name);
  server.startProfile();
  const client = await Profile.start();
  await measure(warmUpMs);
  const taken = { client: await client.stop(), server: await server.stopProfile() };
  return new Map(row.profiled.map((process) => [process, taken[process]]));
}

function isSkipped(measure: Measure | Skipped): measure is Skipped {
  return typeof measure !== "function";
}
