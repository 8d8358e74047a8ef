import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const databaseThread = fileURLToPath(new URL("../../../drivers/embedded/src/sqlite/worker.ts", import.meta.url));

/** A program as one file, which starts many times faster than its sources do: crash tests start it a hundred times. */
export class CrashProgram implements AsyncDisposable {
  /** What to run. */
  readonly file: string;
  readonly #folder: string;

  private constructor(folder: string, file: string) {
    this.#folder = folder;
    this.file = file;
  }

  /** Of a TypeScript file, which may open an embedded database. */
  static async of(source: URL): Promise<CrashProgram> {
    const folder = await mkdtemp(join(tmpdir(), "micro-crash-program-"));
    const path = fileURLToPath(source);
    await writeFile(join(folder, "package.json"), '{ "type": "module" }');
    await build({
      entryPoints: { [basename(path, ".ts")]: path, worker: databaseThread },
      outdir: folder,
      bundle: true,
      platform: "node",
      format: "esm",
      logLevel: "error",
      // For packages that are not ES modules.
      banner: {
        js: 'import { createRequire as makeRequire } from "node:module"; const require = makeRequire(import.meta.url);',
      },
    });
    return new CrashProgram(folder, join(folder, `${basename(path, ".ts")}.js`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}
