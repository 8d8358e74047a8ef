import { access, realpath } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import { MicroError } from "@microts/core";
import type { BuildFailure } from "esbuild";
import { checkSize, type Listing, maxPackedBytes, packedFile } from "./files.ts";
import type { Project } from "./project.ts";

/** Taken along when they stand beside the file. */
const companions = ["package.json", "tsconfig.json"];

/** A project of one file, with its root moved up far enough to hold all that it imports. */
export interface FileListing extends Listing {
  readonly project: Project;
}

/** The file with everything that it imports by relative path, and the manifest and compiler settings beside it. Throws a 400 with the compiler's lines. */
export async function listFile(project: Project, file: string): Promise<FileListing> {
  const imported = await importsOf(file);
  const beside = await existing(companions.map((name) => join(dirname(file), name)));
  const root = commonFolder([...imported, ...beside]);
  const files = await Promise.all(
    [...new Set([...imported, ...beside])].toSorted().map((path) => packedFile(root, path)),
  );
  checkSize(files, maxPackedBytes);
  const entrypoint = relative(root, file).split(sep).join("/");
  const folders = [...new Set(files.map(({ path }) => dirname(path)))];
  return { files, folders, skippedLinks: [], project: { ...project, root, entrypoint } };
}

async function importsOf(file: string): Promise<string[]> {
  const { build } = await import("esbuild");
  const folder = dirname(file);
  try {
    const { metafile } = await build({
      entryPoints: [file],
      absWorkingDir: folder,
      bundle: true,
      packages: "external",
      platform: "node",
      format: "esm",
      target: "node24",
      write: false,
      outdir: folder,
      metafile: true,
      logLevel: "silent",
      loader: { ".node": "copy", ".txt": "text", ".sql": "text", ".html": "text", ".md": "text" },
    });
    const inputs = Object.keys(metafile.inputs).map((name) => resolve(folder, name));
    return await Promise.all(
      inputs.filter((path) => !path.includes(`${sep}node_modules${sep}`)).map((path) => realpath(path)),
    );
  } catch (error) {
    throw (await compileError(error)) ?? error;
  }
}

/** The compiler's own words, one error after the other with its line. */
async function compileError(error: unknown): Promise<MicroError | undefined> {
  if (!isBuildFailure(error)) return undefined;
  const { formatMessages } = await import("esbuild");
  const lines = await formatMessages(error.errors, { kind: "error", color: false, terminalWidth: 100 });
  return MicroError.badRequest("micro", `it does not compile:\n\n${lines.join("").trim()}`);
}

function isBuildFailure(error: unknown): error is BuildFailure {
  return error instanceof Error && "errors" in error && Array.isArray(error.errors) && error.errors.length > 0;
}

async function existing(paths: readonly string[]): Promise<string[]> {
  const there = await Promise.all(
    paths.map((path) =>
      access(path).then(
        () => path,
        () => undefined,
      ),
    ),
  );
  return there.filter((path) => path !== undefined);
}

/** The nearest folder that all the files are in. */
function commonFolder(paths: readonly string[]): string {
  const [first = [], ...others] = paths.map((path) => dirname(path).split(sep));
  const length = first.findIndex((part, index) => others.some((other) => other[index] !== part));
  return (length < 0 ? first : first.slice(0, length)).join(sep) || sep;
}
