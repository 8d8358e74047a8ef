import { join } from "node:path";
import { homeDir, isOrigin, type LogLevel, logLevels, MicroError } from "@microts/core";
import { parseAddress } from "@microts/core/rpc";
import { type GivenRootKeys, parseRootKeys } from "@microts/driver-embedded";

type Env = Readonly<Record<string, string | undefined>>;

/** Everything `micro server` can be told, read once. */
export interface Settings {
  /** HTTP gateway. Default 127.0.0.1:8080. */
  readonly apiAddress: string;
  /** gRPC for command lines and remote services. Default 127.0.0.1:8081. */
  readonly proxyAddress: string;
  /** Dashboard. Default 127.0.0.1:8082. */
  readonly webAddress: string;
  /** gRPC for the services of this machine. Default 127.0.0.1:8443. */
  readonly networkAddress: string;
  /** The user's `~/.micro`; local credentials go there. */
  readonly home: string;
  /** Everything the server keeps. Default `server` in the home. */
  readonly dataDir: string;
  /** The admin's password at the first start; a random one when undefined. */
  readonly adminPassword: string | undefined;
  /** Root keys of the secrets in config; those of a file in the data directory when undefined. */
  readonly configKeys: GivenRootKeys | undefined;
  /** Origins whose pages may call the gateway with credentials. */
  readonly corsOrigins: readonly string[];
  /** Origins whose pages may call the proxy over gRPC-Web; `*` for all. */
  readonly proxyCorsOrigins: readonly string[];
  readonly logLevel: LogLevel;
  /** The server's own environment; services see only the few variables of it that the runtime lets through. */
  readonly environment: Env;
}

/** Variables that no other process may see. */
export const secretSettings = ["MICRO_ADMIN_PASSWORD", "MICRO_CONFIG_SECRET_KEY"] as const;

/**
 * Reads the environment, with flags winning over it. Throws one 400 that lists every mistake; a wrong `MICRO_CONFIG_SECRET_KEY` is none: it seals secrets,
 * and the rest of the server works.
 */
export function parseSettings(env: Env, flags: Env = {}): Settings {
  const mistakes: string[] = [];
  const text = (name: string, flag?: string) =>
    (flag === undefined ? undefined : flags[flag]) ?? (env[name] || undefined);
  const address = (name: string, flag: string, port: number) => {
    const given = text(name, flag) ?? `127.0.0.1:${port}`;
    try {
      parseAddress(given);
      if (!/:\d+$/.test(given)) throw new Error("no port");
    } catch {
      mistakes.push(
        `${flags[flag] === undefined ? name : `--${flag}`} is "${given}", not an address such as 127.0.0.1:${port}`,
      );
    }
    return given.startsWith(":") ? `127.0.0.1${given}` : given;
  };
  const level = text("MICRO_LOG_LEVEL") ?? "info";
  const logLevel = logLevels.find((known) => known === level);
  if (logLevel === undefined) mistakes.push(`MICRO_LOG_LEVEL is "${level}", not one of ${logLevels.join(", ")}`);
  const key = text("MICRO_CONFIG_SECRET_KEY");
  const proxyCorsOrigins = list(text("MICRO_PROXY_CORS_ORIGINS"));
  for (const origin of proxyCorsOrigins)
    if (origin !== "*" && !isOrigin(origin))
      mistakes.push(
        `MICRO_PROXY_CORS_ORIGINS has "${origin}", not an origin such as https://app.example.com, or * for every page`,
      );
  const home = homeDir(env);
  const settings: Settings = {
    apiAddress: address("MICRO_API_ADDRESS", "api_address", 8080),
    proxyAddress: address("MICRO_PROXY_ADDRESS", "proxy_address", 8081),
    webAddress: address("MICRO_WEB_ADDRESS", "web_address", 8082),
    networkAddress: address("MICRO_NETWORK_ADDRESS", "network_address", 8443),
    home,
    dataDir: text("MICRO_DATA_DIR", "data_dir") ?? join(home, "server"),
    adminPassword: text("MICRO_ADMIN_PASSWORD"),
    configKeys: key === undefined ? undefined : parseRootKeys(key),
    corsOrigins: list(text("MICRO_API_CORS_ORIGINS")),
    proxyCorsOrigins,
    logLevel: logLevel ?? "info",
    environment: env,
  };
  if (mistakes.length > 0) throw MicroError.badRequest("settings", mistakes.join("; "));
  return settings;
}

function list(text = ""): string[] {
  return text
    .split(",")
    .map((item) => item.trim())
    .filter(Boolean);
}
