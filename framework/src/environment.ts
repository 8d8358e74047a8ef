import { createPublicKey } from "node:crypto";
import { checkNamespace, defaultNamespace, homeDir, type LogLevel, logLevels, MicroError } from "@microts/core";
import { parseAddress } from "@microts/core/rpc";

/** Everything a service takes from its environment (wire §7), read once. */
export interface Environment {
  /** Overrides the name in the code. */
  readonly name: string | undefined;
  readonly version: string | undefined;
  /** `host:port` to listen on; default a free port on 127.0.0.1. */
  readonly address: string;
  readonly nodeId: string | undefined;
  /** Where the platform is reached; default this machine's proxy. */
  readonly proxy: string;
  readonly namespace: string;
  /** The account the runtime made for this service; undefined when started by hand. */
  readonly credentials: { readonly id: string; readonly secret: string } | undefined;
  /** PEM; verifies tokens without asking the platform. */
  readonly publicKey: string | undefined;
  readonly home: string;
  readonly logLevel: LogLevel;
}

const defaultProxy = "127.0.0.1:8081";

/** Throws 400 naming every variable that can't be understood. */
export function readEnvironment(env: Readonly<Record<string, string | undefined>>): Environment {
  const text = (name: string) => env[name] || undefined;
  const mistakes: string[] = [];
  const level = text("MICRO_LOG_LEVEL") ?? "info";
  const logLevel = logLevels.find((known) => known === level);
  if (logLevel === undefined) mistakes.push(`MICRO_LOG_LEVEL is "${level}", not one of ${logLevels.join(", ")}`);
  const id = text("MICRO_AUTH_ID");
  const secret = text("MICRO_AUTH_SECRET");
  if ((id === undefined) !== (secret === undefined))
    mistakes.push("MICRO_AUTH_ID and MICRO_AUTH_SECRET go together: one of them is missing");
  const key = text("MICRO_AUTH_PUBLIC_KEY");
  const publicKey = key === undefined || key.startsWith("-----BEGIN") ? key : Buffer.from(key, "base64").toString();
  if (publicKey !== undefined && !publicKey.startsWith("-----BEGIN"))
    mistakes.push("MICRO_AUTH_PUBLIC_KEY is not a PEM public key, nor one in base64");
  else if (publicKey !== undefined && !isPublicKey(publicKey)) mistakes.push("MICRO_AUTH_PUBLIC_KEY is damaged");
  for (const name of ["MICRO_SERVICE_ADDRESS", "MICRO_PROXY"]) {
    const address = text(name);
    if (address !== undefined && !isAddress(address))
      mistakes.push(`${name} is "${address}", not an address such as ${defaultProxy}`);
  }
  const namespace = text("MICRO_NAMESPACE") ?? defaultNamespace;
  try {
    checkNamespace(namespace, "service");
  } catch (error) {
    mistakes.push(`MICRO_NAMESPACE: ${MicroError.from(error, "service").detail}`);
  }
  if (mistakes.length > 0) throw MicroError.badRequest("service", mistakes.join("; "));
  return {
    name: text("MICRO_SERVICE_NAME"),
    version: text("MICRO_SERVICE_VERSION"),
    address: text("MICRO_SERVICE_ADDRESS") ?? "127.0.0.1:0",
    nodeId: text("MICRO_SERVICE_NODE_ID"),
    proxy: text("MICRO_PROXY") ?? defaultProxy,
    namespace,
    credentials: id !== undefined && secret !== undefined ? { id, secret } : undefined,
    publicKey,
    home: homeDir(env),
    logLevel: logLevel ?? "info",
  };
}

function isAddress(text: string): boolean {
  try {
    parseAddress(text);
    return true;
  } catch {
    return false;
  }
}

function isPublicKey(pem: string): boolean {
  try {
    createPublicKey(pem);
    return true;
  } catch {
    return false;
  }
}
