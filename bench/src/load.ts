import { createHistogram } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";
import type { Sample } from "./row.ts";

/** No load makes more calls than this, however fast the server. */
const maxCalls = 5_000_000;

export interface ClosedLoopOptions {
  readonly inFlight: number;
  readonly ms: number;
  readonly signal: AbortSignal;
  /**
   * Counts calls that fail instead of ending with the first. The rate is then that of the calls answered within the time: waiting for the last
   * ones, which a server that starves some callers can take seconds for, isn't held against the others. Default false.
   */
  readonly mayFail?: boolean;
}

/**
 * Calls again and again from `inFlight` slots, each waiting for its answer before the next call, for `ms` milliseconds. Ends early when the
 * signal aborts, and with the error of the first call that fails.
 */
export async function closedLoop(
  call: (slot: number) => Promise<void>,
  { inFlight, ms, signal, mayFail = false }: ClosedLoopOptions,
): Promise<Sample> {
  const latencies = createHistogram();
  const startedMs = performance.now();
  const endMs = startedMs + ms;
  let calls = 0;
  let inTime = 0;
  const failures: unknown[] = [];
  const slots = Array.from({ length: inFlight }, async (_, slot) => {
    let beganMs = performance.now();
    while (beganMs < endMs && calls < maxCalls && !signal.aborted) {
      try {
        await call(slot);
        calls++;
      } catch (error) {
        if (!mayFail) throw error;
        failures.push(error);
        beganMs = performance.now();
        continue;
      }
      const nowMs = performance.now();
      if (nowMs < endMs) inTime++;
      latencies.record(Math.max(1, Math.round((nowMs - beganMs) * 1000)));
      beganMs = nowMs;
    }
  });
  await Promise.all(slots);
  signal.throwIfAborted();
  if (calls === 0 && failures.length > 0) throw failures[0];
  const latency = { p50Ms: latencies.percentile(50) / 1000, p99Ms: latencies.percentile(99) / 1000 };
  if (mayFail)
    return { value: inTime / (ms / 1000), ...latency, failedShare: failures.length / (calls + failures.length) };
  return { value: calls / ((performance.now() - startedMs) / 1000), ...latency };
}

/**
 * Begins a call every `1 / rate` seconds for `ms` milliseconds, whatever became of those before: a slow answer doesn't keep later calls from
 * being made, and from being seen to be slow. The value is the 99th percentile of the time from a call's beginning to its answer.
 */
export async function openLoop(
  call: () => Promise<void>,
  { rate, ms, signal }: { rate: number; ms: number; signal: AbortSignal },
): Promise<Sample> {
  const latencies = createHistogram();
  const startedMs = performance.now();
  const timed = async () => {
    const beganMs = performance.now();
    await call();
    latencies.record(Math.max(1, Math.round((performance.now() - beganMs) * 1000)));
  };
  const calls: Promise<void>[] = [];
  for (const total = Math.floor((ms * rate) / 1000); calls.length < total; ) {
    const due = Math.floor(((performance.now() - startedMs) * rate) / 1000);
    while (calls.length < Math.min(due, total)) calls.push(timed());
    await delay(1, undefined, { signal });
  }
  await Promise.all(calls);
  const p99Ms = latencies.percentile(99) / 1000;
  return { value: p99Ms, p50Ms: latencies.percentile(50) / 1000, p99Ms };
}
