const maxCandidates = 5000;
const maxLength = 64;

/** At most three of `names` that `wanted` may have been meant to be, nearest first: a few letters away, or one within the other. */
export function nearNames(wanted: string, names: Iterable<string>): string[] {
  const name = wanted.slice(0, maxLength).toLowerCase();
  const limit = Math.max(2, Math.floor(name.length / 3));
  const near: { candidate: string; distance: number }[] = [];
  let seen = 0;
  for (const candidate of names) {
    if (++seen > maxCandidates) break;
    const distance = distanceOf(name, candidate.slice(0, maxLength).toLowerCase(), limit);
    if (distance <= limit) near.push({ candidate, distance });
  }
  near.sort((a, b) => a.distance - b.distance || (a.candidate < b.candidate ? -1 : 1));
  return near.slice(0, 3).map(({ candidate }) => candidate);
}

function distanceOf(a: string, b: string, limit: number): number {
  if (a === b) return 0;
  if (a.length > 2 && b.length > 2 && (a.includes(b) || b.includes(a))) return 1;
  return Math.abs(a.length - b.length) > limit ? limit + 1 : editDistance(a, b);
}

/** Letters to insert, remove or replace (Levenshtein). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
