import { MicroError, platformNames } from "@microts/core";

const maxVersionLength = 128;
const maxPathBytes = 1024;
const maxInstances = 32;
const maxVariables = 200;
const maxVariableBytes = 32 * 1024;
const maxEnvironmentBytes = 128 * 1024;
const maxArguments = 100;
const maxArgumentsBytes = 32 * 1024;
const maxMetadata = 64;
const maxMetadataBytes = 16 * 1024;
const maxCount = 1_000_000;

/** Variables that decide who a process is, what code it loads or where its files are: the runtime's to set. */
const ownVariables =
  /^(MICRO_(AUTH_.*|PROFILE|NAMESPACE|PROXY|SERVICE_NAME|SERVICE_VERSION|SERVICE_NODE_ID|SERVER_FD|CONFIG_SECRET_KEY)|NODE_(OPTIONS|PATH|CHANNEL_.*|UNIQUE_ID|REPL_.*|V8_COVERAGE)|(LD|DYLD)_.*|PATH|HOME|TMPDIR|BASH_ENV|ENV|IFS)$/;

/** Metadata that says what the runtime knows of a service. */
const ownMetadata: ReadonlySet<string> = new Set([
  "owner",
  "group",
  "started",
  "status",
  "error",
  "lastStatusUpdate",
  "retries",
  "build",
]);

/** Returns the name: letters, digits, `.`, `_` and `-`, begun by a letter or digit, at most 63, and not a core service's. Throws 400 under `id`. */
export function checkServiceName(name: string, id: string): string {
  if (name === "") throw MicroError.badRequest(id, "the service's name is missing");
  if (!/^[0-9A-Za-z][0-9A-Za-z._-]{0,62}$/.test(name)) {
    throw MicroError.badRequest(
      id,
      `${show(name)} can't be a service's name: it takes letters, digits, ".", "_" and "-", begins with a letter or digit and is at most 63 long`,
    );
  }
  if (platformNames.has(name.toLowerCase()))
    throw MicroError.badRequest(id, `"${name}" is the name of a part of the platform; choose another`);
  return name;
}

/** Returns the version, `latest` for "": letters, digits and `._/+@-`, at most 128. Throws 400. */
export function checkVersion(version: string, id: string): string {
  if (version === "") return "latest";
  if (version.length > maxVersionLength || !/^[0-9A-Za-z][0-9A-Za-z._/+@-]*$/.test(version)) {
    throw MicroError.badRequest(
      id,
      `${show(version)} can't be a version: it takes letters, digits and "._/+@-", begins with a letter or digit and is at most ${maxVersionLength} long`,
    );
  }
  return version;
}

/** Returns the path: relative and inside of the source, "" for its root. Throws 400. */
export function checkEntrypoint(entrypoint: string, id: string): string {
  const parts = entrypoint.split("/").filter((part) => part !== "" && part !== ".");
  const bad =
    entrypoint.startsWith("/") || parts.includes("..") || /[\p{Cc}\\]/u.test(entrypoint) || !entrypoint.isWellFormed();
  if (bad || Buffer.byteLength(entrypoint) > maxPathBytes) {
    throw MicroError.badRequest(id, `the entrypoint ${show(entrypoint)} is not a path inside of the source`);
  }
  return parts.join("/");
}

/** Returns the address of a source: visible characters, at most 1024 bytes. Throws 400. */
export function checkSource(source: string, id: string): string {
  if (/[\p{Cc}\s]/u.test(source) || !source.isWellFormed() || Buffer.byteLength(source) > maxPathBytes) {
    throw MicroError.badRequest(id, `${show(source)} is not the address of a source`);
  }
  return source;
}

/** Returns the variables. Throws 400 for names that aren't, values with NUL, too much of either, and variables that the runtime sets. */
export function checkEnv(env: Readonly<Record<string, string>>, id: string): Readonly<Record<string, string>> {
  const entries = Object.entries(env);
  if (entries.length > maxVariables)
    throw MicroError.badRequest(
      id,
      `${entries.length} environment variables are given; at most ${maxVariables} are taken`,
    );
  let total = 0;
  for (const [name, value] of entries) {
    if (!/^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(name))
      throw MicroError.badRequest(id, `${show(name)} is not a name for an environment variable`);
    if (ownVariables.test(name))
      throw MicroError.badRequest(id, `the environment variable ${name} is set by the runtime and can't be given`);
    const size = Buffer.byteLength(value);
    if (value.includes("\0") || size > maxVariableBytes)
      throw MicroError.badRequest(
        id,
        `the value of the environment variable ${name} has a NUL or more than ${maxVariableBytes} bytes`,
      );
    total += name.length + size;
  }
  if (total > maxEnvironmentBytes)
    throw MicroError.badRequest(id, `the environment has ${total} bytes; the limit is ${maxEnvironmentBytes}`);
  return env;
}

/** Returns the words of a command. Throws 400 for NUL and for too many. */
export function checkWords(words: readonly string[], what: string, id: string): readonly string[] {
  const size = words.reduce((sum, word) => sum + Buffer.byteLength(word), 0);
  if (words.length > maxArguments || size > maxArgumentsBytes)
    throw MicroError.badRequest(id, `${what} has more than ${maxArguments} words or ${maxArgumentsBytes} bytes`);
  if (words.some((word) => word.includes("\0"))) throw MicroError.badRequest(id, `${what} has a NUL`);
  return words;
}

/** Returns the metadata. Throws 400 for what the runtime itself says of services, and for too much. */
export function checkMetadata(
  metadata: Readonly<Record<string, string>>,
  id: string,
): Readonly<Record<string, string>> {
  const entries = Object.entries(metadata);
  const own = entries.find(([name]) => ownMetadata.has(name));
  if (own !== undefined)
    throw MicroError.badRequest(id, `the metadata "${own[0]}" is set by the runtime and can't be given`);
  const size = entries.reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + Buffer.byteLength(value), 0);
  if (entries.length > maxMetadata || size > maxMetadataBytes) {
    throw MicroError.badRequest(id, `the metadata has more than ${maxMetadata} entries or ${maxMetadataBytes} bytes`);
  }
  return metadata;
}

/** Returns the number of instances: from `least` to 32. Throws 400. */
export function checkInstances(instances: number, least: number, id: string): number {
  if (Number.isInteger(instances) && instances >= least && instances <= maxInstances) return instances;
  throw MicroError.badRequest(id, `${instances} instances can't run: from 1 to ${maxInstances} can`);
}

/** Returns how many lines: from 0, which is all. Throws 400. */
export function checkCount(count: number, id: string): number {
  if (Number.isInteger(count) && count >= 0) return Math.min(count, maxCount);
  throw MicroError.badRequest(id, `${count} lines can't be shown: give a whole number from 0, which shows all`);
}

function show(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
