import { memoryUsage } from "node:process";
import { MicroError } from "@microts/core";
import { type Method, methodsOf } from "@microts/core/rpc";
import { Debug } from "@microts/proto/debug";

/** `Debug.Health` and `Debug.Stats`, which every service answers; they aren't listed in the registry (wire §1). */
export function debugMethods(): Method[] {
  const started = BigInt(Math.floor(Date.now() / 1000) - Math.floor(process.uptime()));
  const absent = (name: string) =>
    MicroError.notImplemented(
      `debug.Debug.${name}`,
      `this service keeps no ${name.toLowerCase()}; the runtime does: micro logs <service>`,
    );
  return methodsOf(Debug, {
    health: async () => ({ status: "ok" }),
    stats: async () => ({
      timestamp: BigInt(Math.floor(Date.now() / 1000)),
      started,
      uptime: BigInt(Math.floor(process.uptime())),
      memory: BigInt(memoryUsage.rss()),
      threads: 1n,
    }),
    log: async () => {
      throw absent("Log");
    },
    trace: async () => {
      throw absent("Trace");
    },
  });
}
