// The process of one contender: its servers, and the load on them when the bench asks for it. Arguments: the names of the row and of the contender.
import { Bench } from "./bench.ts";
import { contenderOf } from "./contenders.ts";
import type { Order, Report } from "./remote-contender.ts";
import { isSkipped } from "./row.ts";
import { rows } from "./rows/index.ts";

const [rowName, name = ""] = process.argv.slice(2);
const row = rows.find((known) => known.name === rowName);
if (row === undefined) throw new Error(`no row ${rowName}`);

const stopping = new AbortController();
const stop = () => stopping.abort(new Error("stopped"));
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, stop);
// The bench is gone, however it ended.
process.once("disconnect", stop);

const bench = await Bench.open(stopping.signal);
const over = Promise.withResolvers<void>();
stopping.signal.addEventListener("abort", () => over.resolve());
try {
  const alone = row.separate?.[name];
  const measure = alone === undefined ? (await row.open(bench))[name] : await alone(bench);
  if (measure === undefined) throw new Error(`no contender ${name}`);
  if (isSkipped(measure)) say(measure);
  else {
    const contender = contenderOf(bench, row, name, measure);
    process.on("message", async (order: Order) => {
      try {
        if ("end" in order) over.resolve();
        else if ("measureMs" in order) say({ sample: await contender.measure(order.measureMs) });
        else say({ costs: [...(await contender.profile(order.profileMs))] });
      } catch (error) {
        fail(error);
      }
    });
    say({ ready: true });
  }
  await over.promise;
} catch (error) {
  fail(error);
}
await bench[Symbol.asyncDispose]();
process.disconnect?.();

function say(report: Report): void {
  if (process.connected) process.send?.(report);
}

function fail(error: unknown): void {
  say({ error: error instanceof Error ? error.message : String(error) });
}
