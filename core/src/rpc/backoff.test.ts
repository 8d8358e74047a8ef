import { equal, ok } from "node:assert/strict";
import { describe, it } from "node:test";
import { until } from "../../../testing/src/until.ts";
import { Backoff } from "./backoff.ts";

describe("the wait between attempts to connect", () => {
  it("grows with each failure, up to its limit, and begins anew", () => {
    const backoff = new Backoff(1_000, 10_000);
    equal(backoff.leftMs, 0);
    backoff.failed();
    const first = backoff.leftMs;
    ok(first > 700 && first <= 1_200, `${first} ms`);
    for (let failure = 0; failure < 20; failure++) backoff.failed();
    const last = backoff.leftMs;
    ok(last > 7_900 && last <= 12_000, `${last} ms`);
    backoff.reset();
    equal(backoff.leftMs, 0);
  });

  it("is never less than nothing, which Node.js warns of when a timer is to last so long", async () => {
    const backoff = new Backoff(2, 2);
    backoff.failed();
    const endMs = Date.now() + 5;
    await until(
      async () => Date.now(),
      (now) => now > endMs,
      5_000,
      1,
    );
    equal(backoff.leftMs, 0);
  });
});
