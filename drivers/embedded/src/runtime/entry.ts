import { readdir, readFile, stat } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { MicroError } from "@microts/core";

const id = "runtime.build";
const extensions = [".ts", ".mts", ".js", ".mjs", ".cts", ".cjs"];
const stems = ["index", "main", "src/index", "src/main"];

/** What other languages keep at the root of a project. */
const otherLanguages: Readonly<Record<string, string>> = {
  "go.mod": "Go",
  "main.go": "Go",
  "requirements.txt": "Python",
  "pyproject.toml": "Python",
  "main.py": "Python",
  "Cargo.toml": "Rust",
  "pom.xml": "Java",
  Gemfile: "Ruby",
};

/** Where a service begins. Both are absolute and inside the source. */
export interface SourceEntry {
  /** The folder that the service runs in. */
  readonly folder: string;
  /** The file that is run. */
  readonly file: string;
}

/**
 * Finds the file to run in an unpacked source: `entrypoint` when that is a file, else in its folder what package.json names if it is there,
 * `index`, `main`, `src/index`, `src/main` or `<name>` with a TypeScript or JavaScript ending, or the only such file. Throws 400 saying what was
 * looked for and what was found.
 */
export async function detectEntry(source: string, entrypoint: string, name: string): Promise<SourceEntry> {
  const begin = join(source, entrypoint);
  const info = await stat(begin).catch(() => undefined);
  if (info === undefined) throw refuse(`the source has no ${JSON.stringify(entrypoint)}, which the entrypoint names`);
  if (info.isFile()) {
    if (!isSource(begin))
      throw refuse(`the entrypoint ${JSON.stringify(entrypoint)} is not a TypeScript or JavaScript file`);
    return { folder: dirname(begin), file: begin };
  }
  const names = (await readdir(begin)).sort();
  if (names.length === 0) throw refuse(`the folder ${where(source, begin)} is empty; there is nothing to run`);
  const candidates = [
    ...(await packageEntries(begin)),
    ...[...stems, name].flatMap((stem) => extensions.map((end) => stem + end)),
  ];
  for (const candidate of candidates) {
    const file = join(begin, candidate);
    if (isSource(file) && (await isFile(file))) return { folder: begin, file };
  }
  const only = names.filter((file) => isSource(file) && !/\.(d|test|spec|config)\.[cm]?[jt]s$/.test(file));
  const [first] = only;
  if (first !== undefined && only.length === 1 && (await isFile(join(begin, first))))
    return { folder: begin, file: join(begin, first) };
  throw refuse(nothingFound(source, begin, names, name));
}

/** The files package.json names as its main module, inside the folder. Throws 400 when it is not JSON. */
async function packageEntries(folder: string): Promise<string[]> {
  const manifest = await readManifest(folder);
  const named = [manifest?.["main"], ...exportsOf(manifest?.["exports"])];
  return named.filter(
    (path): path is string => typeof path === "string" && !path.split("/").includes("..") && !path.startsWith("/"),
  );
}

/** package.json of a folder, or undefined when there is none. Throws 400 when it is not a JSON object. */
export async function readManifest(folder: string): Promise<Readonly<Record<string, unknown>> | undefined> {
  let text: string;
  try {
    text = await readFile(join(folder, "package.json"), "utf8");
  } catch {
    return undefined;
  }
  try {
    const manifest: unknown = JSON.parse(text);
    if (typeof manifest === "object" && manifest !== null && !Array.isArray(manifest))
      return manifest as Record<string, unknown>;
  } catch (error) {
    throw refuse(`package.json is not JSON: ${(error as Error).message}`);
  }
  throw refuse("package.json is not a JSON object");
}

/** The main module of an `exports` field: a text, its "." or the first condition that gives one. */
function exportsOf(value: unknown, depth = 0): string[] {
  if (typeof value === "string") return [value];
  if (typeof value !== "object" || value === null || depth > 4) return [];
  const fields = value as Readonly<Record<string, unknown>>;
  if (Object.hasOwn(fields, ".")) return exportsOf(fields["."], depth + 1);
  return ["import", "node", "default"].flatMap((condition) => exportsOf(fields[condition], depth + 1));
}

function isSource(path: string): boolean {
  return extensions.some((end) => path.endsWith(end)) && !/\.d\.[cm]?ts$/.test(path);
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() ?? false;
}

function nothingFound(source: string, folder: string, names: readonly string[], name: string): string {
  const shown = names.slice(0, 20).join(", ") + (names.length > 20 ? `, and ${names.length - 20} more` : "");
  const other = Object.keys(otherLanguages).find((file) => names.includes(file));
  if (other !== undefined) {
    return `${where(source, folder)} looks like ${otherLanguages[other]} (it has ${other}); this runtime runs TypeScript and JavaScript`;
  }
  return `found nothing to run in ${where(source, folder)}: looked for what package.json names, index.ts, main.ts, src/index.ts, src/main.ts, ${basename(name)}.ts, the same with .js or .mjs, or a single .ts or .js file; found ${shown}`;
}

function where(source: string, folder: string): string {
  return `"${relative(source, folder) || "."}"`;
}

function refuse(detail: string): MicroError {
  return MicroError.badRequest(id, detail);
}
