import { openContenders } from "./contenders.ts";
import type { Costs } from "./profile.ts";
import { isSkipped, type Row, type Sample } from "./row.ts";

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
  await using stack = new AsyncDisposableStack();
  progress(`${row.name}: starting ${Object.keys(row.contenders).join(", ")}`);
  const contenders = await openContenders(row, signal, stack);
  const ready = [...contenders].flatMap(([name, given]) => (isSkipped(given) ? [] : [[name, given] as const]));
  const skipped = [...contenders].flatMap(([name, given]) =>
    isSkipped(given) ? [[name, given.skipped] as const] : [],
  );
  for (const [, { measure }] of ready) await measure(warmUpMs);
  const samples = new Map<string, Sample[]>(ready.map(([name]) => [name, []]));
  for (let round = 1; round <= rounds; round++) {
    const values: string[] = [];
    for (const [name, { measure }] of ready) {
      const sample = await measure(seconds * 1000);
      samples.get(name)?.push(sample);
      values.push(`${name} ${sample.value.toFixed(0)}`);
      signal.throwIfAborted();
    }
    progress(`${row.name}: round ${round} of ${rounds}: ${values.join(", ")}`);
  }
  const ours = row.profiled.length === 0 ? undefined : contenders.get(Object.keys(row.contenders)[0] ?? "");
  const costs = ours === undefined || isSkipped(ours) ? new Map() : await ours.profile(warmUpMs);
  return { row, samples, skipped: new Map(skipped), costs };
}
