import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { MicroError } from "@microts/core";
import type { BuildOptions, BuildResult, Message, Plugin } from "esbuild";
import { banner } from "./banner.ts";
import type { SourceEntry } from "./entry.ts";

const id = "runtime.build";
const shownErrors = 20;
const buildTimeoutMs = 60_000;
const mostBundleBytes = 64 * 1024 * 1024;

/** The name of a bundle, beside the file it was made from, so that `import.meta` and the working folder mean what they do in the source. */
const bundleName = ".micro-bundle.mjs";

/** Loaded for the first build: a server without services needs none. */
let esbuild: Promise<typeof import("esbuild")> | undefined;

/** What was made of a source. */
export interface Bundle {
  readonly file: string;
  /** SHA-256 of its bytes, in hex. */
  readonly hash: string;
  /** The compiler's remarks. */
  readonly warnings: readonly string[];
}

/** Bundles services with one esbuild process, which stays between builds until the last builder is closed. */
export class Builder implements Disposable {
  static #open = 0;
  readonly #frameworkModules: Readonly<Record<string, string>>;
  #closed = false;

  /** `frameworkModules`: names of modules and the files to take when a source doesn't bring them. */
  constructor(frameworkModules: Readonly<Record<string, string>>) {
    this.#frameworkModules = frameworkModules;
    Builder.#open++;
  }

  /** Bundles the entry and all it imports into one file. Throws 400 with the compiler's words, as `file:line:col: message`. */
  async build(source: string, entry: SourceEntry, signal: AbortSignal): Promise<Bundle> {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(buildTimeoutMs)]);
    await using building = await startBuild(this.#options(source, entry));
    const cancel = () => void building.cancel();
    limit.addEventListener("abort", cancel);
    const result = await building.rebuild().catch((error: unknown) => {
      signal.throwIfAborted();
      throw refuse(limit.aborted ? `the build took longer than ${buildTimeoutMs / 1000} s` : messageOf(error));
    });
    limit.removeEventListener("abort", cancel);
    this.#checkInputs(source, result);
    return writeBundle(source, entry, result);
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    if (--Builder.#open === 0) void esbuild?.then(({ stop }) => stop());
  }

  #options(source: string, entry: SourceEntry): BuildOptions {
    return {
      absWorkingDir: source,
      entryPoints: [entry.file],
      outfile: join(dirname(entry.file), bundleName),
      write: false,
      bundle: true,
      metafile: true,
      format: "esm",
      platform: "node",
      target: "node26",
      sourcemap: "linked",
      sourcesContent: false,
      keepNames: true,
      loader: { ".node": "copy" },
      banner: { js: banner },
      logLevel: "silent",
      plugins: [this.#resolveFramework(source)],
    };
  }

  /** Takes the platform's copy of a module only when the source has none. */
  #resolveFramework(source: string): Plugin {
    const modules = this.#frameworkModules;
    return {
      name: "framework",
      setup: (build) => {
        build.onResolve(
          { filter: /^[^./]/ },
          async ({ path, kind, importer, resolveDir, namespace, pluginData, with: attributes }) => {
            const name = packageOf(path);
            const file = modules[path] ?? modules[name];
            if (file === undefined || pluginData === resolving) return undefined;
            const options = { kind, importer, namespace, with: attributes, pluginData: resolving };
            const own = await build.resolve(path, { ...options, resolveDir });
            if (own.errors.length === 0 && (isInside(source, own.path) || !isInside(source, importer))) return own;
            if (modules[path] !== undefined) return { path: file };
            return build.resolve(path, { ...options, resolveDir: dirname(file) });
          },
        );
      },
    };
  }

  /** A source reaches only what is in it and the platform's modules: no file of the server ends in a bundle. */
  #checkInputs(source: string, { metafile }: BuildResult): void {
    const provided = new Set(Object.values(this.#frameworkModules));
    const roots = [...provided].map((file) => dirname(file) + sep);
    for (const [input, { imports }] of Object.entries(metafile?.inputs ?? {})) {
      if (!isInside(source, resolve(source, input))) continue;
      for (const { path, external } of imports) {
        const file = resolve(source, path);
        if (external || isInside(source, file) || provided.has(file) || roots.some((root) => file.startsWith(root)))
          continue;
        throw refuse(
          `${input}: imports ${JSON.stringify(relative(dirname(resolve(source, input)), file))}, which is outside of the source. Put it into the folder, or a package into the dependencies in package.json`,
        );
      }
    }
  }
}

/** Marks the plugin's own questions. */
const resolving = {};

async function startBuild(options: BuildOptions) {
  esbuild ??= import("esbuild");
  const building = await (await esbuild).context(options);
  return {
    rebuild: () => building.rebuild(),
    cancel: () => building.cancel(),
    [Symbol.asyncDispose]: () => building.dispose(),
  };
}

async function writeBundle(source: string, { file }: SourceEntry, result: BuildResult): Promise<Bundle> {
  const outputs = result.outputFiles ?? [];
  const total = outputs.reduce((sum, { contents }) => sum + contents.length, 0);
  if (total > mostBundleBytes) throw refuse("the bundle is larger than 64 MiB");
  const target = join(dirname(file), bundleName);
  for (const { path, contents } of outputs) {
    if (!isInside(source, path)) throw refuse(`the build would write outside of the source: ${basename(path)}`);
    await writeFile(path, contents, { mode: 0o600 });
  }
  const code = outputs.find(({ path }) => path === target)?.contents ?? new Uint8Array();
  return { file: target, hash: createHash("sha256").update(code).digest("hex"), warnings: result.warnings.map(line) };
}

function packageOf(path: string): string {
  return path.split("/", path.startsWith("@") ? 2 : 1).join("/");
}

function isInside(folder: string, path: string): boolean {
  return path.startsWith(folder + sep);
}

function messageOf(error: unknown): string {
  const messages = (error as { errors?: readonly Message[] }).errors;
  if (messages === undefined || messages.length === 0) return `the build failed: ${(error as Error).message}`;
  const more = messages.length > shownErrors ? [`and ${messages.length - shownErrors} more`] : [];
  return ["the source doesn't compile:", ...messages.slice(0, shownErrors).map(line), ...more].join("\n");
}

function line({ location, text }: Message): string {
  const missing = /^Could not resolve "([^"./][^"]*)"/.exec(text)?.[1];
  const hint =
    missing === undefined ? "" : `. Add ${JSON.stringify(packageOf(missing))} to the dependencies in package.json`;
  return `${location === null ? "" : `${location.file}:${location.line}:${location.column + 1}: `}${text}${hint}`;
}

function refuse(detail: string): MicroError {
  return MicroError.badRequest(id, detail);
}
