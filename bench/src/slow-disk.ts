import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Bench } from "./bench.ts";
import type { Skipped } from "./row.ts";

const source = fileURLToPath(new URL("slow-sync.c", import.meta.url));

/** Environment of a process for which every sync of a file takes so much longer. Skipped where such a library can't be built or loaded. */
export async function slowDisk(bench: Bench, ms: number): Promise<NodeJS.ProcessEnv | Skipped> {
  if (process.platform !== "linux") return { skipped: "a slow disk is a preloaded library, on Linux only" };
  const library = join(bench.folder, "slow-sync.so");
  try {
    await promisify(execFile)("cc", ["-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"]);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT")
      return { skipped: "needs a C compiler, cc (Debian: apt-get install gcc libc6-dev)" };
    throw error;
  }
  return { LD_PRELOAD: library, SLOW_SYNC_US: String(ms * 1000) };
}
