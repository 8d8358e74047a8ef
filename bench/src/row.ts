import type { Bench } from "./bench.ts";
import type { Costs } from "./profile.ts";

/** What one measurement gave. */
export interface Sample {
  /** In the row's unit. */
  readonly value: number;
  /** Latency of single calls, in milliseconds, where calls were timed. */
  readonly p50Ms?: number;
  readonly p99Ms?: number;
  /** How many of all calls failed, from 0 to 1, where a contender is allowed to fail some. */
  readonly failedShare?: number;
}

/** Measures for about `ms` milliseconds, or once where one measurement is what it is. Rejects when an answer was wrong. */
export type Measure = (ms: number) => Promise<Sample>;

/** One line of performance.md's table of bars, or a part of it. */
export interface Bar {
  /** What has to hold, in words. */
  readonly text: string;
  /** The contender judged. */
  readonly of: string;
  /** The contender it is divided by; undefined for a bar on the value itself. */
  readonly against?: string;
  /** Judges the ratio by another one: `of ÷ against`, divided by this pair's. */
  readonly beside?: { readonly of: string; readonly against: string };
  /** What of `beside` is compared. Default: the ratios. For rates there is also the time that one takes more, which doesn't grow with the rate. */
  readonly by?: "ratio" | "added time";
  readonly atLeast?: number;
  readonly atMost?: number;
}

/** Contenders that do the same work. */
export interface Row {
  /** For `--rows`. */
  readonly name: string;
  readonly title: string;
  readonly unit: "calls/s" | "messages/s" | "ms" | "MiB" | "KiB" | "max/min";
  /** What each contender is, by name, in the table's order. The first is ours, which the others are compared with. */
  readonly contenders: Readonly<Record<string, string>>;
  readonly bars: readonly Bar[];
  /** Bars that wait for a peer this bench doesn't run yet, with the peer's name. */
  readonly waiting?: readonly string[];
  /**
   * Whether each contender's load is made by a process of its own, on servers of its own: what one client leaves behind, timers, garbage and
   * compiled code, is then no burden to the next. For clients that run in this process; not where preparing takes long.
   */
  readonly isApart?: boolean;
  /** Which of our processes are worth a profile. */
  readonly profiled: readonly ("client" | "server")[];
  /**
   * Starts everything but what is `separate`, and checks one answer of each contender. Every contender gets its measure, or the reason for which
   * it is left out.
   */
  open(bench: Bench): Promise<Readonly<Record<string, Measure | Skipped>>>;
  /** Contenders that start alone, each only where it is measured itself: those that take long to start, or much of the machine while they run. */
  readonly separate?: Readonly<Record<string, (bench: Bench) => Promise<Measure | Skipped>>>;
}

/** Why a contender isn't measured on this machine. */
export interface Skipped {
  readonly skipped: string;
}

/** A contender that is ready. */
export interface Contender {
  readonly measure: Measure;
  /** A turn of `ms` milliseconds with the profilers on, by process. */
  profile(ms: number): Promise<ReadonlyMap<string, Costs>>;
}

export function isSkipped(given: Measure | Contender | Skipped): given is Skipped {
  return "skipped" in given;
}
