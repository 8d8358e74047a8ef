const firstDelayMs = 100;
const factor = 4;
const longestDelayMs = 300_000;

/** A service that has run this long counts as healthy: its next failure is the first again. */
export const healthyAfterMs = 600_000;

/**
 * How long to wait before the next start after `failures` failures in a row: 0.1 s, then four times as long each time, at most 5 min.
 * A brief fault is over in a moment, and a service that never comes up starts 8 times in its first ten minutes.
 */
export function restartDelayMs(failures: number): number {
  return Math.min(longestDelayMs, firstDelayMs * factor ** Math.max(0, failures - 1));
}
