// npm run bench [-- --rows=unary,h2load --rounds=5 --seconds=3 --growth=10000000]
import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { describeMachine } from "./machine.ts";
import type { Row } from "./row.ts";
import { largest } from "./rows/growth.ts";
import { rowsWith, usualGrowth } from "./rows/index.ts";
import { type Result, runRow } from "./run.ts";
import { renderRow } from "./table.ts";

process.on("uncaughtException", (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});

const { values } = parseArgs({
  options: {
    rows: { type: "string" },
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "2" },
    /** How many records and events the larger side of the growth rows has. */
    growth: { type: "string", default: String(usualGrowth) },
    /** Goes to the head of RESULTS.md. */
    note: { type: "string", multiple: true, default: [] },
  },
});
const growth = countOf("growth", values.growth, largest, 1_000);
const rows = rowsWith(growth);
const chosen = chooseRows(values.rows);
const rounds = countOf("rounds", values.rounds, 100);
const seconds = countOf("seconds", values.seconds, 60);

const stopping = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => stopping.abort(new Error("stopped")));
}

const command = `npm run bench -- --rounds=${rounds} --seconds=${seconds}`;
const head = await describeMachine(command, values.note);
const results: Result[] = [];
try {
  for (const row of chosen) {
    const progress = (text: string) => process.stderr.write(`${text}\n`);
    const result = await runRow(row, { rounds, seconds, signal: stopping.signal, progress });
    process.stdout.write(`\n${renderRow(result)}\n`);
    results.push(result);
  }
  // Other rows would leave a page whose halves were measured on different days.
  if (chosen.length === rows.length && growth === usualGrowth) await writeResults();
} catch (error) {
  if (!stopping.signal.aborted) throw error;
  process.exitCode = 130;
}

async function writeResults(): Promise<void> {
  const file = new URL("../RESULTS.md", import.meta.url);
  await writeFile(file, `${[head, ...results.map(renderRow)].join("\n\n")}\n`);
  process.stderr.write("Wrote bench/RESULTS.md\n");
}

function chooseRows(names: string | undefined): readonly Row[] {
  if (names === undefined) return rows;
  return names.split(",").map((name) => {
    const row = rows.find((known) => known.name === name);
    if (row === undefined) throw new Error(`no row ${name}. There are: ${rows.map((known) => known.name).join(", ")}`);
    return row;
  });
}

function countOf(flag: string, text: string, most: number, least = 1): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < least || count > most)
    throw new Error(`--${flag} takes ${least} to ${most}, not ${text}`);
  return count;
}
