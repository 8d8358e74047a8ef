import type { Cost } from "./profile.ts";
import type { Bar, Sample } from "./row.ts";
import type { Result } from "./run.ts";

/** The middle value; of an even number, the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low = Number.NaN, high = low] = sorted.slice(Math.ceil(middle) - 1, Math.floor(middle) + 1);
  return (low + high) / 2;
}

/** A row's part of RESULTS.md: the contenders, the bars, and where ours spends its time. */
export function renderRow(result: Result): string {
  const { row, costs } = result;
  const parts = [`## ${row.title}`, contenders(result), bars(result)];
  if (costs.size > 0) parts.push(profiles(result));
  return parts.join("\n\n");
}

function contenders({ row, samples, skipped }: Result): string {
  const [ours = "", ...rest] = Object.keys(row.contenders);
  const isTimed = [...samples.values()].some((each) => each.some(({ p50Ms }) => p50Ms !== undefined));
  const mayFail = [...samples.values()].some((each) => each.some(({ failedShare }) => failedShare !== undefined));
  const head = [
    "contender",
    `median ${row.unit}`,
    "lowest–highest",
    `${ours} ÷ it`,
    ...(isTimed ? ["p50 ms", "p99 ms"] : []),
    ...(mayFail ? ["failed calls"] : []),
  ];
  const lines = [ours, ...rest].map((name) => {
    const label = `**${name}**: ${row.contenders[name]}`;
    const taken = samples.get(name);
    if (taken === undefined) return [label, `skipped: ${skipped.get(name)}`, ...head.slice(2).map(() => "")];
    const values = taken.map(({ value }) => value);
    const ratios = ratiosOf(samples, ours, name);
    return [
      label,
      round(median(values)),
      `${round(Math.min(...values))}–${round(Math.max(...values))}`,
      name === ours || ratios.length === 0 ? "" : `${median(ratios).toFixed(2)}×`,
      ...(isTimed ? [latency(taken, "p50Ms"), latency(taken, "p99Ms")] : []),
      ...(mayFail ? [failures(taken)] : []),
    ];
  });
  const rule = head.map((_, column) => (column === 0 ? "---" : "---:"));
  return [head, rule, ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

function bars({ row, samples }: Result): string {
  const judged = row.bars.map((bar) => {
    const rounds = judgedValues(bar, samples);
    if (rounds.length === 0) return `- not measured: ${bar.text}`;
    const shown = (value: number) =>
      bar.against === undefined ? `${round(value)} ${row.unit}` : `${value.toFixed(2)}×`;
    const range = `rounds ${shown(Math.min(...rounds))}–${shown(Math.max(...rounds))}`;
    const verdict = isMet(bar, median(rounds)) ? "met" : "**not met**";
    const agree = new Set(rounds.map((value) => isMet(bar, value))).size === 1;
    return `- ${verdict}${agree ? "" : ", but rounds fell on both sides"}: ${bar.text} (${shown(median(rounds))}; ${range})`;
  });
  const waiting = (row.waiting ?? []).map((text) => `- not measured, no such peer in this bench yet: ${text}`);
  const all = [...judged, ...waiting];
  return all.length === 0 ? "No bar yet." : ["Bars:", "", ...all].join("\n");
}

const placesShown = 6;
const functionsShown = 10;

function profiles({ costs }: Result): string {
  const listed = (all: readonly Cost[], count: number) =>
    all.slice(0, count).map(({ name, share }) => `${(share * 100).toFixed(0)} % ${name}`);
  const lists = [...costs].flatMap(([process, { functions, places }]) => [
    `- ${process}: ${listed(places, placesShown).join(", ")}`,
    `  - functions: ${listed(functions, functionsShown).join(", ")}`,
  ]);
  return [
    "Where ours spends its busy time (sampling profile of one more turn, self time; says where, not what would be gained):",
    "",
    ...lists,
  ].join("\n");
}

function judgedValues({ of, against, beside, by }: Bar, samples: Result["samples"]): number[] {
  if (against === undefined) return valuesOf(samples, of);
  const compared = by === "added time" ? addedTimes : ratiosOf;
  const ours = compared(samples, of, against);
  if (beside === undefined) return ours;
  const others = compared(samples, beside.of, beside.against);
  // A round in which the dearer one was the faster says nothing.
  return ours.flatMap((value, at) => (others[at] === undefined || others[at] <= 0 ? [] : [value / others[at]]));
}

/** The time that one of `name` takes more than one of `other`, round by round; both are rates. */
function addedTimes(samples: Result["samples"], name: string, other: string): number[] {
  const others = valuesOf(samples, other);
  return valuesOf(samples, name).flatMap((value, at) => (others[at] === undefined ? [] : [1 / value - 1 / others[at]]));
}

function isMet({ atLeast = Number.NEGATIVE_INFINITY, atMost = Number.POSITIVE_INFINITY }: Bar, value: number): boolean {
  return value >= atLeast && value <= atMost;
}

function valuesOf(samples: Result["samples"], name: string): number[] {
  return (samples.get(name) ?? []).map(({ value }) => value);
}

/** Of `name` to `other`, round by round; none when one of them was skipped. */
function ratiosOf(samples: Result["samples"], name: string, other: string): number[] {
  const others = valuesOf(samples, other);
  return valuesOf(samples, name).flatMap((value, at) => (others[at] === undefined ? [] : [value / others[at]]));
}

function latency(samples: readonly Sample[], key: "p50Ms" | "p99Ms"): string {
  const values = samples.map((sample) => sample[key]).filter((value) => value !== undefined);
  return values.length === 0 ? "" : median(values).toFixed(2);
}

/** The mean of all rounds: a median would hide what fails in a few of them. */
function failures(samples: readonly Sample[]): string {
  const shares = samples.map(({ failedShare }) => failedShare).filter((share) => share !== undefined);
  if (shares.length === 0) return "";
  return `${((100 * shares.reduce((sum, share) => sum + share, 0)) / shares.length).toFixed(1)} %`;
}

function round(value: number): string {
  const exact = value >= 100 ? value.toFixed(0) : value.toPrecision(3);
  return exact.replace(/\B(?=(\d{3})+$)/g, ",");
}
