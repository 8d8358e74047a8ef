import { access, realpath, stat } from "node:fs/promises";
import { basename, dirname, extname, join, relative, resolve, sep } from "node:path";
import { usageError } from "../failure.ts";
import { serviceNameIn } from "./service-name.ts";

/** A service's source on disk. */
export interface Project {
  /** What is uploaded: this folder, or for a single file what the file imports in it. */
  readonly root: string;
  /** Where the service begins, from the root, with `/`; "" for the root itself. */
  readonly entrypoint: string;
  /** The service file, when one was named instead of a folder. */
  readonly file: string | undefined;
  /** Root of the git repository around it. */
  readonly repository: string | undefined;
  /** Default for the service's name. */
  readonly name: string;
}

/** Files that a service can be written in. */
const sourceExtensions = [".ts", ".mts", ".cts", ".js", ".mjs", ".cjs", ".tsx", ".jsx"];

/** Finds the project of a path given by the user. Throws a usage error when there is nothing that could run. */
export async function findProject(source: string, folder: string, home: string | undefined): Promise<Project> {
  const path = await realpath(resolve(folder, source)).catch(() => notThere(source));
  const isFile = (await stat(path)).isFile();
  if (isFile && !sourceExtensions.includes(extname(path))) {
    throw usageError(`${source} is not a TypeScript or JavaScript file (${sourceExtensions.join(", ")}), nor a folder`);
  }
  const start = isFile ? dirname(path) : path;
  const repository = await findAbove(start, home, ".git");
  if (isFile) {
    return { root: start, entrypoint: basename(path), file: path, repository, name: await serviceNameIn(path) };
  }
  const root = (await findAbove(start, home, "package.json", repository)) ?? start;
  return {
    root,
    entrypoint: relative(root, path).split(sep).join("/"),
    file: undefined,
    repository,
    name: serviceName(basename(path)),
  };
}

/** Whether the text is meant as a path or source rather than as the name of a service that runs. */
export function looksLikePath(text: string): boolean {
  return (
    text.includes("/") ||
    text.includes(sep) ||
    text === "." ||
    text === ".." ||
    sourceExtensions.includes(extname(text))
  );
}

/** A path's last element as a service's name. */
function serviceName(name: string): string {
  return name.replace(/^\.+/, "") || "service";
}

/** The nearest folder from `start` upwards that holds `name`: not past `limit`, and not the user's home or above unless `start` is there. */
async function findAbove(
  start: string,
  home: string | undefined,
  name: string,
  limit?: string,
): Promise<string | undefined> {
  for (let at = start; ; at = dirname(at)) {
    if (at !== start && (at === home || dirname(at) === at)) return undefined;
    const isThere = await access(join(at, name)).then(
      () => true,
      () => false,
    );
    if (isThere) return at;
    if (at === limit || at === home || dirname(at) === at) return undefined;
  }
}

function notThere(source: string): never {
  const isRemote = /^([a-z]+:\/\/|git@)/i.test(source) || /^[\w-]+(\.[\w-]+)+\/[\w.-]+\/[\w.-]+/.test(source);
  if (isRemote) {
    throw usageError(
      `${source}: this server runs local folders and files only, not yet sources from git. Clone it, then: micro run ./folder`,
    );
  }
  throw usageError(`there is no file or folder ${source}`);
}
