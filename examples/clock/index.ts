import { setTimeout as pause } from "node:timers/promises";
import { endpoint, service } from "@microts/service";
import { z } from "zod";

const Tick = z.object({ count: z.int(), time: z.string().describe("ISO 8601") });

export default service("clock", {
  now: endpoint({
    description: "Tells the time once",
    output: z.object({ time: z.string() }),
    handler: () => ({ time: new Date().toISOString() }),
  }),

  tick: endpoint({
    description: "Tells the time again and again; count 0 goes on until the caller leaves",
    input: z.object({ count: z.int().min(0).default(0), intervalMs: z.int().min(10).max(60_000).default(1000) }),
    output: Tick,
    async *handler({ count, intervalMs }, { signal }) {
      for (let n = 1; count === 0 || n <= count; n++) {
        yield { count: n, time: new Date().toISOString() };
        if (n !== count) await pause(intervalMs, undefined, { signal });
      }
    },
  }),
});
