import { spawn } from "node:child_process";
import { constants as access } from "node:fs";
import { access as check, stat } from "node:fs/promises";
import { constants } from "node:os";
import { delimiter, join } from "node:path";
import type { Surroundings } from "./context.ts";
import { CommandError } from "./failure.ts";

/** Runs the executable of that name from the PATH, its streams being ours, and returns its exit code. Undefined when there is none. */
export async function runExecutable(
  name: string,
  args: readonly string[],
  { env, folder, signal }: Surroundings,
): Promise<number | undefined> {
  if (!/^[\w.-]+$/.test(name)) return undefined;
  const path = await findExecutable(name, env["PATH"] ?? "");
  if (path === undefined) return undefined;
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

async function findExecutable(name: string, path: string): Promise<string | undefined> {
  for (const folder of path.split(delimiter).filter((each) => each !== "")) {
    const file = join(folder, name);
    const isExecutable = await check(file, access.X_OK).then(
      async () => (await stat(file)).isFile(),
      () => false,
    );
    if (isExecutable) return file;
  }
  return undefined;
}
