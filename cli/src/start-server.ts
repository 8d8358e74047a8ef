import { type LogLevel, lineLog } from "@microts/core";
import type { Platform } from "@microts/platform";
import type { Context } from "./context.ts";
import { keepMemoryOutOfCoreDumps } from "./core-dump.ts";
import type { Flags, Values } from "./flags.ts";

/** What `micro server` can be told; the settings themselves read the environment, and name it in their errors. */
export const serverFlags = {
  api_address: { kind: "text", help: "where the HTTP gateway listens ($MICRO_API_ADDRESS)" },
  proxy_address: { kind: "text", help: "where the gRPC proxy listens ($MICRO_PROXY_ADDRESS)" },
  web_address: { kind: "text", help: "where the dashboard listens ($MICRO_WEB_ADDRESS)" },
  network_address: {
    kind: "text",
    help: "where the services of this machine are answered ($MICRO_NETWORK_ADDRESS)",
  },
  data_dir: { kind: "text", help: "where everything is kept ($MICRO_DATA_DIR)" },
} as const satisfies Flags;

/** Starts the server in this process, its log going to standard error. `level` is used where MICRO_LOG_LEVEL says nothing. */
export async function startServer(
  flags: Partial<Values<typeof serverFlags>>,
  context: Context,
  level?: LogLevel,
): Promise<Platform> {
  keepMemoryOutOfCoreDumps();
  const { parseSettings, secretSettings, startPlatform } = await import("@microts/platform");
  const settings = parseSettings({ ...(level !== undefined && { MICRO_LOG_LEVEL: level }), ...context.env }, flags);
  // Read once: what this process starts from here on (compilers too, which take all of the environment) must not inherit them.
  for (const name of secretSettings) delete process.env[name];
  const log = lineLog((line) => context.out.warn(line.trimEnd()), settings.logLevel);
  return startPlatform(settings, log);
}
