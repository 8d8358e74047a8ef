import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, normalize, relative, resolve, sep } from "node:path";
import { platformNames } from "@microts/core";
import { CommandError, usageError } from "./failure.ts";
import { findInstallation, type Installation, packageFolder } from "./installation.ts";

export interface NewProject {
  readonly name: string;
  /** What was written, from the new folder, with `/`. */
  readonly files: readonly string[];
  /** Whether the packages it needs were found in this installation and linked. */
  readonly isLinked: boolean;
}

/** What a service imports, which the server has too, and what the compiler and editors read besides. */
const dependencies = ["@microts/service", "zod"];
const devDependencies = ["@types/node"];

/**
 * Writes a service from the template. Its packages are links to the copies in this installation, which package.json names as `file:`
 * dependencies: it runs and type-checks as it is, without a network, and stays so after `npm install`.
 */
export async function makeProject(path: string, folder: string): Promise<NewProject> {
  if (isAbsolute(path)) throw usageError(`"${path}" is an absolute path: go to the folder above and give a name`);
  const name = basename(normalize(path));
  if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name) || name.length > 63) {
    throw usageError(
      `"${name}" cannot be a service's name: use lower-case letters and digits, with single dashes between, beginning with a letter`,
    );
  }
  if (platformNames.has(name)) throw usageError(`"${name}" is the name of a part of the platform; choose another`);
  const target = resolve(folder, path);
  await makeFolder(target, path);
  const installation = await findInstallation();
  const [own, dev] = await Promise.all(
    [dependencies, devDependencies].map((names) => findPackages(installation, names)),
  );
  const values = { name, dependencies: fileSpecs(own), devDependencies: fileSpecs(dev) };
  const files = await writeTemplate(join(installation.folder, "templates", "service"), target, values);
  const found = [...(own ?? []), ...(dev ?? [])];
  await Promise.all(found.map(([each, from]) => link(from, join(target, "node_modules", each))));
  return { name, files, isLinked: found.length === dependencies.length + devDependencies.length };
}

type Located = readonly (readonly [name: string, folder: string])[];

async function findPackages(installation: Installation, names: readonly string[]): Promise<Located> {
  const found = await Promise.all(names.map(async (name) => [name, await packageFolder(installation, name)] as const));
  return found.flatMap(([name, folder]) => (folder === undefined ? [] : [[name, folder] as const]));
}

async function makeFolder(target: string, path: string): Promise<void> {
  try {
    await mkdir(dirname(target), { recursive: true });
    await mkdir(target);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") throw new CommandError(1, `${path} already exists`, 409);
    throw new CommandError(1, `cannot make ${target}: ${(error as Error).message}`, 500);
  }
}

async function writeTemplate(
  template: string,
  target: string,
  values: Readonly<Record<string, string>>,
): Promise<string[]> {
  const entries = await readdir(template, { recursive: true, withFileTypes: true });
  const files: string[] = [];
  for (const entry of entries.filter((each) => each.isFile())) {
    const from = join(entry.parentPath, entry.name);
    // npm leaves a file of the real name out of packages.
    const to = relative(template, from).replace(/(^|[\\/])gitignore$/, "$1.gitignore");
    const text = await readFile(from, "utf8");
    await mkdir(dirname(join(target, to)), { recursive: true });
    await writeFile(
      join(target, to),
      text.replace(/"?\{\{(\w+)\}\}"?/g, (whole, key: string) => fill(whole, values[key] ?? "")),
    );
    files.push(to.split(sep).join("/"));
  }
  return files.toSorted();
}

/** `{{name}}` is replaced inside its quotes, if it has any; `"{{dependencies}}"` with them, being JSON. */
function fill(whole: string, value: string): string {
  if (value.startsWith("{")) return value;
  const [before, after] = [whole.startsWith('"') ? '"' : "", whole.endsWith('"') ? '"' : ""];
  return before + value + after;
}

/** JSON for package.json, indented as it stands there. */
function fileSpecs(packages: Located = []): string {
  const entries = packages.map(([name, from]) => [name, `file:${from.split(sep).join("/")}`]);
  return JSON.stringify(Object.fromEntries(entries), undefined, 2).replaceAll("\n", "\n  ");
}

async function link(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  await symlink(from, to, "junction");
}
