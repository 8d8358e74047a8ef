import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { glob } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Skipped } from "./row.ts";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../../", import.meta.url));
const timeoutMs = 180_000;

let installed: Promise<string | Skipped> | undefined;

/**
 * The launcher of the `micro` command, packed and installed as `npm install -g` does for a user, into a folder that ends with this process.
 * Done once. Its packages come from npm's cache where they are in it; without them and without a registry it is skipped.
 */
export function installedLauncher(): Promise<string | Skipped> {
  installed ??= install();
  return installed;
}

async function install(): Promise<string | Skipped> {
  const folder = mkdtempSync(join(tmpdir(), "micro-bench-installed-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  const tarballs = join(folder, "tarballs");
  await run(process.execPath, [join(root, "tools", "pack.ts"), tarballs], { cwd: root, timeout: timeoutMs });
  const [tarball] = await Array.fromAsync(glob("microts-[0-9]*.tgz", { cwd: tarballs }));
  if (tarball === undefined) throw new Error(`tools/pack.ts left no tarball of the micro command in ${tarballs}`);
  const quiet = ["--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error"];
  const prefix = join(folder, "prefix");
  try {
    await run("npm", ["install", "-g", "--prefix", prefix, ...quiet, join(tarballs, tarball)], { timeout: timeoutMs });
  } catch (error) {
    return { skipped: `npm could not install the packed command: ${(error as Error).message.trim()}` };
  }
  const [launcher] = await Array.fromAsync(glob("**/node_modules/microts/bin/micro.js", { cwd: prefix }));
  if (launcher === undefined) throw new Error(`npm install -g left no micro command in ${prefix}`);
  return join(prefix, launcher);
}
