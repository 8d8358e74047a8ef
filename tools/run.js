// Runs one of this repository's TypeScript tools under the pinned Node.js. Plain JavaScript on built-in modules only,
// because it has to work on a fresh clone with nothing installed and a Node.js as old as 20.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(root, "node_modules");
const stamp = join(modules, ".micro-installed");
const node = join(modules, "node", "bin", "node");

install();
const child = spawn(node, process.argv.slice(2), { cwd: root, stdio: "inherit" });
// Ctrl-C reaches the child by itself (same terminal); a signal sent to this process alone has to be passed on.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => forward(signal));
child.on("exit", (code, signal) => process.exit(signal ? 1 : (code ?? 1)));

let forwarded = false;
function forward(signal) {
  if (signal === "SIGINT" && process.stdin.isTTY) return;
  if (!forwarded) child.kill(signal);
  forwarded = true;
}

/** Installs the npm packages when there are none, or when the lock file has changed since. */
function install() {
  const lock = createHash("sha256")
    .update(readFileSync(join(root, "package-lock.json")))
    .digest("hex");
  if (existsSync(node) && existsSync(stamp) && readFileSync(stamp, "utf8") === lock) return;
  if (existsSync(node) && !existsSync(stamp) && process.env.npm_lifecycle_event === "prepare") return;
  process.stderr.write("Installing npm packages (first time, or the lock file changed)…\n");
  const { status } = spawnSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: root,
    stdio: ["ignore", "ignore", "inherit"],
    shell: process.platform === "win32",
  });
  if (status !== 0) {
    process.stderr.write("npm ci failed: see the lines above.\n");
    process.exit(status ?? 1);
  }
  if (!existsSync(node)) {
    process.stderr.write(
      "The pinned Node.js was not installed: npm must be allowed to run install scripts (npm ci without --ignore-scripts).\n",
    );
    process.exit(1);
  }
  writeFileSync(stamp, lock);
}
