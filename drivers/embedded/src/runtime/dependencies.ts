import { spawn } from "node:child_process";
import { access, copyFile, mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { MicroError } from "@microts/core";
import { readManifest } from "./entry.ts";
import { hostEnvironment } from "./environment.ts";
import { signalGroup } from "./process-table.ts";

const id = "runtime.build";
const installTimeoutMs = 300_000;
const mostOutputBytes = 16 * 1024 * 1024;
const shownOutput = 2000;

export interface InstallOptions {
  /** The root of the unpacked source. */
  readonly source: string;
  /** The folder that the service runs in, inside the source. */
  readonly folder: string;
  /** Packages that the platform provides, which are not fetched. */
  readonly provided: ReadonlySet<string>;
  /** A folder for npm to work in, not there yet; it is removed again. */
  readonly scratch: string;
  /** npm's cache, shared by all services. */
  readonly cache: string;
  /** The server's environment, of which npm sees PATH and `npm_config_registry`. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Default 5 min. */
  readonly timeoutMs?: number;
}

/**
 * Fetches the packages that package.json lists and the source doesn't bring, from the npm registry only and without running any script. Does nothing
 * when there are none. npm sees the lists of packages and nothing else of the source, so its settings and hooks have no effect. Throws 400 with npm's
 * own words.
 */
export async function installDependencies(options: InstallOptions, signal: AbortSignal): Promise<void> {
  const home = await manifestFolder(options.source, options.folder);
  const manifest = home === undefined ? undefined : await readManifest(home);
  if (home === undefined || manifest === undefined) return;
  const wanted = listed(manifest["dependencies"]);
  const outside = [...wanted].filter(([name]) => !options.provided.has(name));
  const missing = await Promise.all(outside.map(async ([name]) => !(await isThere(options, name))));
  if (!missing.includes(true)) return;
  for (const [name, range] of outside) checkRange(name, range);
  await mkdir(options.scratch, { mode: 0o700 });
  try {
    const locked = await writeLists(options.scratch, home, outside, manifest["overrides"]);
    await npm(locked && outside.length === wanted.size ? "ci" : "install", options, signal);
    await rm(join(home, "node_modules"), { recursive: true, force: true });
    await rename(join(options.scratch, "node_modules"), join(home, "node_modules"));
  } finally {
    await rm(options.scratch, { recursive: true, force: true });
  }
}

/** The nearest folder with a package.json, from the service's up to the source's root. */
async function manifestFolder(source: string, folder: string): Promise<string | undefined> {
  for (let at = folder; ; at = dirname(at)) {
    if (await exists(join(at, "package.json"))) return at;
    if (at === source || relative(source, at).startsWith("..")) return undefined;
  }
}

async function isThere({ source, folder }: InstallOptions, name: string): Promise<boolean> {
  for (let at = folder; ; at = dirname(at)) {
    if (await exists(join(at, "node_modules", name, "package.json"))) return true;
    if (at === source || relative(source, at).startsWith("..")) return false;
  }
}

function listed(value: unknown): Map<string, string> {
  if (value === undefined) return new Map();
  const entries = typeof value === "object" && value !== null ? Object.entries(value) : [];
  if (entries.some(([, range]) => typeof range !== "string"))
    throw refuse("package.json's dependencies are not names with versions");
  return new Map(entries);
}

/** Versions, ranges, tags and `npm:` aliases come from the registry; anything else would run git, read files of the server or fetch from anywhere. */
function checkRange(name: string, range: string): void {
  const spec = range.startsWith("npm:") ? range.slice(range.startsWith("npm:@") ? 5 : 4).replace("/", "") : range;
  if (!/^(@?[a-z0-9][a-z0-9._-]*\/?)?[a-z0-9._-]+$/i.test(name) || /[:/\\]/.test(spec)) {
    throw refuse(
      `the dependency ${JSON.stringify(name)} is ${JSON.stringify(range)}; services get packages from the npm registry only. Use a version, or put the code into the folder`,
    );
  }
}

async function writeLists(
  scratch: string,
  home: string,
  dependencies: readonly (readonly [string, string])[],
  overrides: unknown,
): Promise<boolean> {
  const manifest = {
    name: "service",
    version: "0.0.0",
    private: true,
    dependencies: Object.fromEntries(dependencies),
    overrides,
  };
  await writeFile(join(scratch, "package.json"), JSON.stringify(manifest));
  const lock = join(home, "package-lock.json");
  if (!(await exists(lock))) return false;
  await copyFile(lock, join(scratch, "package-lock.json"));
  return true;
}

async function npm(command: string, options: InstallOptions, signal: AbortSignal): Promise<void> {
  const args = [
    command,
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--omit=dev",
    "--no-update-notifier",
    "--loglevel=error",
  ];
  const registry = options.environment["npm_config_registry"];
  const child = spawn("npm", args, {
    cwd: options.scratch,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      ...hostEnvironment(options.environment),
      HOME: options.scratch,
      npm_config_cache: options.cache,
      npm_config_git: "git-is-not-used",
      ...(registry !== undefined && { npm_config_registry: registry }),
    },
  });
  const limit = AbortSignal.any([signal, AbortSignal.timeout(options.timeoutMs ?? installTimeoutMs)]);
  let output = "";
  let bytes = 0;
  const kill = () => child.pid !== undefined && signalGroup(child.pid, "SIGKILL");
  const take = (chunk: Buffer) => {
    bytes += chunk.length;
    output = (output + chunk.toString("latin1")).slice(-shownOutput);
    if (bytes > mostOutputBytes) kill();
  };
  child.stdout.on("data", take);
  child.stderr.on("data", take);
  limit.addEventListener("abort", kill);
  const ending = await new Promise<string>((resolve) => {
    child.on("error", (error) =>
      resolve(`npm could not be started: ${error.message}. It is needed to fetch the service's dependencies`),
    );
    child.on("close", (code) => resolve(code === 0 ? "" : `npm ${command} ended with code ${code}`));
  });
  limit.removeEventListener("abort", kill);
  kill();
  signal.throwIfAborted();
  if (limit.aborted)
    throw refuse(`the dependencies were not installed within ${(options.timeoutMs ?? installTimeoutMs) / 1000} s`);
  if (ending !== "")
    throw refuse(
      `${ending}: ${output
        .replace(/[^\n\x20-\x7e]/g, "?")
        .replaceAll(options.scratch, ".")
        .trim()}`,
    );
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function refuse(detail: string): MicroError {
  return MicroError.badRequest(id, detail);
}
