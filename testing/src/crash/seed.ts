/** The seed of this run's random faults: `MICRO_CRASH_SEED`, else a new one. A failure names it. */
export function crashSeed(): number {
  const given = Number(process.env["MICRO_CRASH_SEED"]);
  return Number.isSafeInteger(given) && given > 0 ? given : 1 + Math.floor(Math.random() * 1_000_000);
}
