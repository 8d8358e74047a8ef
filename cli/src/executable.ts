import { delimiter, join } from "node:path";
import type { Surroundings } from "./context.ts";
import { CommandError } from "./failure.ts";

/** Not imported: that would load `fs.promises` too. */
const fs = process.getBuiltinModule("node:fs");

/** Runs the executable of that name from the PATH, its streams being ours, and returns its exit code. Undefined when there is none. */
export async function runExecutable(
  name: string,
  args: readonly string[],
  { env, folder, signal }: Surroundings,
): Promise<number | undefined> {
  if (!/^[\w.-]+$/.test(name)) return undefined;
  const path = findExecutable(name, env["PATH"] ?? "");
  if (path === undefined) return undefined;
  // Loaded now: nearly always there is none, and each call of a service looks.
  const { spawn } = process.getBuiltinModule("node:child_process");
  const { constants } = process.getBuiltinModule("node:os");
  const child = spawn(path, args, { stdio: "inherit", cwd: folder });
  const stop = () => child.kill("SIGTERM");
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await new Promise((resolve, reject) => {
      child.on("error", (error) => reject(new CommandError(126, `cannot run ${path}: ${error.message}`, 500)));
      child.on("exit", (code, name) => resolve(name === null ? (code ?? 1) : 128 + (constants.signals[name] ?? 0)));
    });
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

function findExecutable(name: string, path: string): string | undefined {
  const folders = path.split(delimiter).filter((each) => each !== "");
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    if (fs.statSync(file, { throwIfNoEntry: false })?.isFile() !== true) return false;
    fs.accessSync(file, fs.constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
