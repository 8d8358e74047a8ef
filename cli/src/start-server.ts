import type { Platform } from "@microts/platform";
import { lineLog, type LogLevel } from "@microts/core";
import type { Context } from "./context.ts";
import type { Flags, Values } from "./flags.ts";

/** What `micro server` can be told; the environment has the same under MICRO_… */
export const serverFlags = {
  api_address: { kind: "text", env: "MICRO_API_ADDRESS", help: "where the HTTP gateway listens" },
  proxy_address: { kind: "text", env: "MICRO_PROXY_ADDRESS", help: "where the gRPC proxy listens" },
  web_address: { kind: "text", env: "MICRO_WEB_ADDRESS", help: "where the dashboard listens" },
  network_address: { kind: "text", env: "MICRO_NETWORK_ADDRESS", help: "where the services of this machine are answered" },
  data_dir: { kind: "text", env: "MICRO_DATA_DIR", help: "where everything is kept" },
} as const satisfies Flags;

/** Starts the server in this process, its log going to standard error. `level` is used where MICRO_LOG_LEVEL says nothing. */
export async function startServer(flags: Partial<Values<typeof serverFlags>>, context: Context, level?: LogLevel): Promise<Platform> {
  const { parseSettings, startPlatform } = await import("@microts/platform");
  const settings = parseSettings({ ...(level !== undefined && { MICRO_LOG_LEVEL: level }), ...context.env }, flags);
  const log = lineLog((line) => context.out.warn(line.trimEnd()), settings.logLevel);
  return startPlatform(settings, log);
}
