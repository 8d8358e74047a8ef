import { equal, ok } from "node:assert/strict";
import { describe, it, mock } from "node:test";
import fc from "fast-check";
import { deadlineFrom, deadlineSignal, formatGrpcTimeout } from "./deadline.ts";

/** Milliseconds until the deadline that a grpc-timeout sets. */
const parseGrpcTimeout = (value: string | undefined) => deadlineFrom({ "grpc-timeout": value }, 0)?.getTime();

describe("a grpc-timeout", () => {
  for (const [value, ms] of [
    ["1H", 3_600_000],
    ["2M", 120_000],
    ["3S", 3000],
    ["4m", 4],
    ["5000u", 5],
    ["6000000n", 6],
    ["0m", 0],
    ["99999999S", 99_999_999_000],
  ] as const) {
    it(`of ${value} is ${ms} ms`, () => equal(Math.round(parseGrpcTimeout(value) ?? -1), ms));
  }

  for (const value of [undefined, "", "m", "1", "1s", "-1m", "1.5S", "123456789m", "1m ", "1mm"]) {
    it(`is no timeout: ${JSON.stringify(value)}`, () => equal(parseGrpcTimeout(value), undefined));
  }

  it("is read as it was written, never shorter and by less than a second longer", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 99_999_999_000 }), (ms) => {
        const read = parseGrpcTimeout(formatGrpcTimeout(ms)) ?? -1;
        ok(read >= ms && read < ms + (ms < 1e8 ? 1 : 1000), `${ms} was read as ${read}`);
      }),
    );
  });

  it("is always one that the format allows", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true }), (ms) => {
        ok(parseGrpcTimeout(formatGrpcTimeout(ms)) !== undefined, `${ms} became ${formatGrpcTimeout(ms)}`);
      }),
    );
  });
});

describe("deadlineFrom", () => {
  const now = 1_000_000;
  for (const [headers, ms] of [
    [{}, undefined],
    [{ "grpc-timeout": "2S" }, 2000],
    [{ timeout: "3000000" }, 3],
    [{ "grpc-timeout": "2S", timeout: "3000000" }, 3],
    [{ "grpc-timeout": "2m", timeout: "3000000" }, 2],
    [{ "grpc-timeout": "soon", timeout: "3000000" }, 3],
    [{ "grpc-timeout": ["2S", "9S"] }, 2000],
    [{ timeout: "0" }, undefined],
    [{ timeout: "-5" }, undefined],
    [{ timeout: "" }, undefined],
    [{ timeout: "1e300" }, undefined],
    [{ timeout: "Infinity" }, undefined],
    [{ timeout: "0x10" }, undefined],
  ] as const) {
    it(`of ${JSON.stringify(headers)} is ${ms === undefined ? "none" : `${ms} ms away`}`, () => {
      const deadline = deadlineFrom({ ...headers } as Record<string, string>, now);
      equal(deadline?.getTime(), ms === undefined ? undefined : now + ms);
    });
  }

  it("is a real time or none for any header", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^\d{0,40}[HMSmun]?$/)), (value) => {
        const deadline = deadlineFrom({ timeout: value, "grpc-timeout": value });
        ok(deadline === undefined || Number.isFinite(deadline.getTime()));
      }),
    );
  });
});

describe("deadlineSignal", () => {
  it("aborts with the reason of the outer signal, also when that had aborted before", () => {
    const outer = new AbortController();
    using limited = deadlineSignal(outer.signal, undefined);
    equal(limited.signal.aborted, false);
    outer.abort("gone");
    equal(limited.signal.reason, "gone");
    using late = deadlineSignal(outer.signal, undefined);
    equal(late.signal.reason, "gone");
  });

  it("aborts with a TimeoutError when the deadline passes", async () => {
    using limited = deadlineSignal(undefined, new Date(Date.now() + 10));
    await new Promise((resolve) => limited.signal.addEventListener("abort", resolve));
    equal(limited.signal.reason.name, "TimeoutError");
  });

  it("stays quiet once disposed", () => {
    const outer = new AbortController();
    const limited = deadlineSignal(outer.signal, new Date(Date.now() + 10));
    limited[Symbol.dispose]();
    outer.abort();
    equal(limited.signal.aborted, false);
  });

  it("waits for a deadline that is further away than a timer reaches", () => {
    mock.timers.enable({ apis: ["setTimeout", "Date"] });
    try {
      const days = 24 * 3_600_000;
      using limited = deadlineSignal(undefined, new Date(Date.now() + 60 * days));
      mock.timers.tick(59 * days);
      equal(limited.signal.aborted, false);
      mock.timers.tick(1 * days);
      equal(limited.signal.aborted, true);
    } finally {
      mock.timers.reset();
    }
  });
});
