// The wheel on a clock that the test turns: any deadlines, any distance apart, and a year of them in a moment.
import { deepEqual, equal, ok } from "node:assert/strict";
import { describe, it, mock } from "node:test";
import fc from "fast-check";
import { deadlines, type Timed } from "./deadline-wheel.ts";

const dayMs = 86_400_000;
/** A tick, and the millisecond to which timers are exact. */
const lateMs = 9;

/** Time that goes on when it is told to, and the only timer that the wheel keeps. */
class Clock {
  nowMs: number;
  /** Timers that were set. */
  count = 0;
  #timer: { readonly atMs: number; readonly run: () => void } | undefined;

  constructor(nowMs: number) {
    this.nowMs = nowMs;
  }

  readonly setTimeout = (run: () => void, inMs: number) => {
    ok(this.#timer === undefined, "a second timer");
    const timer = { atMs: this.nowMs + inMs, run, unref: () => timer };
    this.count++;
    this.#timer = timer;
    return timer;
  };

  readonly clearTimeout = () => {
    this.#timer = undefined;
  };

  get isIdle(): boolean {
    return this.#timer === undefined;
  }

  /** Lets time pass. A process that was busy for so long runs its timer late, with `isBusy`. */
  pass(ms: number, isBusy: boolean): void {
    const untilMs = this.nowMs + ms;
    if (isBusy) this.nowMs = untilMs;
    for (let timer = this.#timer; timer !== undefined && timer.atMs <= untilMs; timer = this.#timer) {
      this.#timer = undefined;
      this.nowMs = Math.max(this.nowMs, timer.atMs);
      timer.run();
    }
    this.nowMs = untilMs;
  }
}

class Deadline implements Timed {
  wheelNext: Timed | undefined = undefined;
  wheelPrevious: Timed | undefined = undefined;
  wheelDue = 0;
  readonly #clock: Clock;
  readonly #then: (() => void) | undefined;
  readonly dueMs: number;
  firedMs: number | undefined;
  isRemoved = false;

  constructor(clock: Clock, inMs: number, then?: () => void) {
    this.#clock = clock;
    this.#then = then;
    // One that is over when it is added is due from then on.
    this.dueMs = clock.nowMs + Math.max(0, inMs);
    deadlines.add(this, inMs);
  }

  remove(): void {
    this.isRemoved ||= this.firedMs === undefined;
    deadlines.remove(this);
  }

  onDeadline(): void {
    equal(this.firedMs, undefined, "it fired twice");
    ok(!this.isRemoved, "it fired though it was removed");
    this.firedMs = this.#clock.nowMs;
    this.#then?.();
  }
}

type Step =
  | { readonly add: number }
  | { readonly remove: number }
  | { readonly pass: number; readonly isBusy: boolean };

const delay = fc.oneof(
  fc.double({ min: -10, max: 50, noNaN: true }),
  fc.integer({ min: 0, max: 5000 }),
  fc.integer({ min: 0, max: dayMs }),
  fc.constantFrom(2047, 2048, 2049, 524_287, 524_288, 524_289, 300 * dayMs, 3.6e14),
);
const steps = fc.array(
  fc.oneof<fc.Arbitrary<Step>[]>(
    fc.record({ add: delay }),
    fc.record({ remove: fc.nat() }),
    fc.record({ pass: fc.oneof(fc.nat(30), fc.nat(4000), fc.nat(2 * 524_288)), isBusy: fc.boolean() }),
  ),
  { maxLength: 60 },
);
/** How long the process has run: 32 bits of ticks are over after 198 days. */
const uptime = fc.constantFrom(0, 1234.567, 2 ** 31 * 8 - 3000, 200 * dayMs, 500 * dayMs);

/** Runs `act` on a clock of its own that begins at `nowMs`. */
function onClock(nowMs: number, act: (clock: Clock) => void): void {
  const clock = new Clock(nowMs);
  mock.method(process, "hrtime", () => [Math.floor(clock.nowMs / 1000), (clock.nowMs % 1000) * 1e6]);
  mock.method(globalThis, "setTimeout", clock.setTimeout);
  mock.method(globalThis, "clearTimeout", clock.clearTimeout);
  try {
    act(clock);
  } finally {
    mock.restoreAll();
  }
}

function run(clock: Clock, all: readonly Step[]): void {
  const made: Deadline[] = [];
  try {
    for (const step of all) {
      if ("add" in step) made.push(new Deadline(clock, step.add));
      else if ("remove" in step) made[step.remove % made.length]?.remove();
      else {
        const sinceMs = clock.nowMs;
        clock.pass(step.pass, step.isBusy);
        check(clock, made, sinceMs, step.isBusy);
      }
    }
  } finally {
    for (const each of made) each.remove();
  }
  ok(clock.isIdle, "a timer is left when there is no deadline");
}

/** What was due since then has ended, and in time unless the process was busy. */
function check(clock: Clock, made: readonly Deadline[], sinceMs: number, isBusy: boolean): void {
  for (const { dueMs, firedMs, isRemoved } of made) {
    if (isRemoved) continue;
    if (firedMs === undefined) ok(clock.nowMs < dueMs + lateMs, `due at ${dueMs}, not ended at ${clock.nowMs}`);
    else {
      ok(firedMs >= dueMs, `due at ${dueMs}, ended at ${firedMs}`);
      if (!isBusy && firedMs > sinceMs)
        ok(firedMs <= Math.max(dueMs, sinceMs) + lateMs, `due at ${dueMs}, ended at ${firedMs}`);
    }
  }
}

describe("the deadline wheel", () => {
  it("ends each deadline once, never early and at most a tick late, unless it was removed", () => {
    fc.assert(
      fc.property(uptime, steps, (uptimeMs, all) => onClock(uptimeMs, (clock) => run(clock, all))),
      { numRuns: 300 },
    );
  });

  it("takes new deadlines and removes others while it ends some", () => {
    const order: string[] = [];
    onClock(0, (clock) => {
      const second = new Deadline(clock, 20, () => order.push("second"));
      new Deadline(clock, 30, () => order.push("third"));
      new Deadline(clock, 10, () => {
        order.push("first");
        second.remove();
        new Deadline(clock, 0, () => order.push("new"));
      });
      clock.pass(100, false);
      ok(clock.isIdle);
    });
    deepEqual(order, ["first", "new", "third"]);
  });

  for (const days of [0, 200])
    it(`wakes seldom for deadlines that are far away, after ${days} days`, () => {
      onClock(days * dayMs, (clock) => {
        const far = new Deadline(clock, dayMs);
        clock.pass(60_000, false);
        ok(clock.count <= 40, `${clock.count} timers in a minute`);
        far.remove();
      });
    });
});

describe("the deadline wheel on the real clock", () => {
  it("ends a thousand deadlines, none early", async () => {
    const sinceMs = performance.now();
    const early: number[] = [];
    // The wheel holds no process.
    const alive = setInterval(() => {}, 1000);
    await Promise.all(
      Array.from({ length: 1000 }, (_, n) => {
        const inMs = (n * 7919) % 2500;
        return new Promise<void>((resolve) => {
          const timed = {
            wheelNext: undefined,
            wheelPrevious: undefined,
            wheelDue: 0,
            onDeadline() {
              if (performance.now() - sinceMs < inMs) early.push(inMs);
              resolve();
            },
          };
          deadlines.add(timed, inMs);
        });
      }),
    );
    clearInterval(alive);
    deepEqual(early, []);
  });
});
