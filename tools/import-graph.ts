// Reads every import of the workspaces with a real parser, type-only ones included, and says which file each one reaches.
import { existsSync } from "node:fs";
import { glob, readFile } from "node:fs/promises";
import { dirname, join, posix } from "node:path";
import { parseSync, Visitor } from "oxc-parser";

/** One import or re-export as written in one file. */
export interface Import {
  /** The importing file, relative to the root, with forward slashes. */
  from: string;
  /** Line in that file, from 1. */
  line: number;
  /** The file reached, relative to the root; `node:…` for a built-in; `npm:…` for an installed package. */
  to: string;
  /** True when nothing of it is left at run time. */
  isTypeOnly: boolean;
  /** True when the import names a path rather than a package. */
  isRelative: boolean;
}

/** A workspace's folder, and the source file behind each specifier that its package.json exports. */
interface Workspace {
  folder: string;
  exports: ReadonlyMap<string, string>;
}

/** Every import in the workspaces and tools below `root`, in the order of the files' names. */
export async function readImports(root: string): Promise<Import[]> {
  const manifest = await readManifest(join(root, "package.json"));
  const folders = await expand(root, manifest.workspaces ?? []);
  const workspaces = new Map<string, Workspace>();
  for (const folder of folders) {
    const { name, exports } = await readManifest(join(root, folder, "package.json"));
    if (name) workspaces.set(name, { folder, exports: sourcesOf(name, folder, exports) });
  }
  const imports: Import[] = [];
  for (const file of await sourceFiles(root, [...folders, "tools"])) {
    for (const found of importsOf(file, await readFile(join(root, file), "utf8"))) {
      const { specifier, ...rest } = found;
      imports.push({
        from: file,
        to: resolve(file, specifier, workspaces),
        isRelative: /^\.\.?\//.test(specifier),
        ...rest,
      });
    }
  }
  return imports;
}

interface Found {
  specifier: string;
  line: number;
  isTypeOnly: boolean;
}

function importsOf(file: string, text: string): Found[] {
  const { program, errors } = parseSync(file, text);
  // A file that doesn't parse is tsc's to report.
  if (errors.length > 0) return [];
  const found: Found[] = [];
  const add = (source: { value: unknown; start: number } | null, isTypeOnly: boolean): void => {
    if (typeof source?.value !== "string") return;
    found.push({ specifier: source.value, line: text.slice(0, source.start).split("\n").length, isTypeOnly });
  };
  const allTypes = (kinds: (string | undefined)[]): boolean =>
    kinds.length > 0 && kinds.every((kind) => kind === "type");
  new Visitor({
    ImportDeclaration: (node) =>
      add(
        node.source,
        node.importKind === "type" ||
          allTypes(
            node.specifiers.map((specifier) => (specifier.type === "ImportSpecifier" ? specifier.importKind : "value")),
          ),
      ),
    ExportNamedDeclaration: (node) =>
      add(node.source, node.exportKind === "type" || allTypes(node.specifiers.map(({ exportKind }) => exportKind))),
    ExportAllDeclaration: (node) => add(node.source, node.exportKind === "type"),
    ImportExpression: (node) => add(node.source.type === "Literal" ? node.source : null, false),
    TSImportType: (node) => add(node.source, true),
  }).visit(program);
  return found;
}

function resolve(file: string, specifier: string, workspaces: ReadonlyMap<string, Workspace>): string {
  if (specifier.startsWith("node:")) return specifier;
  if (/^\.\.?\//.test(specifier)) return posix.join(posix.dirname(file), specifier);
  const name = specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
  const workspace = workspaces.get(name);
  // A subpath that isn't exported is tsc's to report; here it still counts as reaching that workspace.
  if (workspace) return workspace.exports.get(specifier) ?? `${workspace.folder}/package.json`;
  return `npm:${name}`;
}

function sourcesOf(name: string, folder: string, exports: unknown): Map<string, string> {
  if (typeof exports !== "object" || exports === null) return new Map();
  return new Map(
    Object.entries(exports)
      .filter((entry): entry is [string, string] => typeof entry[1] === "string")
      .map(([subpath, target]) => [posix.join(name, subpath), posix.join(folder, target)]),
  );
}

async function sourceFiles(root: string, folders: string[]): Promise<string[]> {
  const patterns = folders
    .filter((folder) => existsSync(join(root, folder)))
    .map((folder) => `${folder}/**/*.{ts,tsx}`);
  const exclude = ["**/node_modules/**", "**/dist/**", "**/templates/**"];
  const files = await Array.fromAsync(glob(patterns, { cwd: root, exclude }));
  return files.map(slashes).toSorted();
}

async function expand(root: string, patterns: string[]): Promise<string[]> {
  const manifests = await Array.fromAsync(
    glob(
      patterns.map((pattern) => `${pattern}/package.json`),
      { cwd: root },
    ),
  );
  return manifests.map((path) => slashes(dirname(path))).toSorted();
}

const slashes = (path: string): string => path.replaceAll("\\", "/");

async function readManifest(path: string): Promise<{ name?: string; workspaces?: string[]; exports?: unknown }> {
  return JSON.parse(await readFile(path, "utf8"));
}
