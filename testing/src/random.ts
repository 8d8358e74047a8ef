/** Draws a whole number from 0 to below the one it is given. */
export type Random = (below: number) => number;

/** Mulberry32: small, and the same numbers for the same seed everywhere. */
function randomFrom(seed: number): Random {
  let state = seed | 0;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

/** The random numbers of one input among many of a seed. */
export function randomOf(seed: number, input: number): Random {
  return randomFrom(Math.imul(seed + input, 0x9e3779b1));
}

export function pick<T>(random: Random, items: readonly T[]): T {
  return items[random(items.length)] as T;
}
