/** The names most like `word`, best first, at most `count`; none that differ in more than a third of it. */
export function nearest(word: string, names: Iterable<string>, count = 3): string[] {
  const limit = Math.max(1, Math.ceil(word.length / 3));
  const scored: { name: string; score: number }[] = [];
  for (const name of new Set(names)) {
    const score = distance(word.toLowerCase(), name.toLowerCase());
    const isPart = word.length > 2 && name.toLowerCase().startsWith(word.toLowerCase());
    if (score <= limit || isPart) scored.push({ name, score });
  }
  return scored
    .toSorted((a, b) => a.score - b.score || a.name.localeCompare(b.name))
    .slice(0, count)
    .map(({ name }) => name);
}

/** `Did you mean a or b? ` with a space at its end, or nothing. */
export function hint(word: string, names: Iterable<string>): string {
  const near = nearest(word, names);
  return near.length === 0 ? "" : `Did you mean ${near.join(" or ")}? `;
}

/** Insertions, deletions, replacements and swaps of neighbours that turn one word into the other (optimal string alignment). */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, (before[j - 2] ?? 0) + 1);
      next.push(best);
    }
    before = row;
    row = next;
  }
  return row[b.length] ?? 0;
}
