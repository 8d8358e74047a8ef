import { createHistogram } from "node:perf_hooks";
import type { Sample } from "./row.ts";

/** No load makes more calls than this, however fast the server. */
const maxCalls = 5_000_000;

/**
 * Calls again and again from `inFlight` slots, each waiting for its answer before the next call, for `ms` milliseconds. Ends early when the
 * signal aborts, and with the error of the first call that fails.
 */
export async function closedLoop(
  call: (slot: number) => Promise<void>,
  { inFlight, ms, signal }: { inFlight: number; ms: number; signal: AbortSignal },
): Promise<Sample> {
  const latencies = createHistogram();
  const startedMs = performance.now();
  const endMs = startedMs + ms;
  let calls = 0;
  const slots = Array.from({ length: inFlight }, async (_, slot) => {
    let beganMs = performance.now();
    while (beganMs < endMs && calls < maxCalls && !signal.aborted) {
      await call(slot);
      calls++;
      const nowMs = performance.now();
      latencies.record(Math.max(1, Math.round((nowMs - beganMs) * 1000)));
      beganMs = nowMs;
    }
  });
  await Promise.all(slots);
  signal.throwIfAborted();
  const value = calls / ((performance.now() - startedMs) / 1000);
  return { value, p50Ms: latencies.percentile(50) / 1000, p99Ms: latencies.percentile(99) / 1000 };
}
