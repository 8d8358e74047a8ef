// Runs after `npm ci` and `npm install`: builds what the sources do not hold, which is only the dashboard's browser bundle.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(root, "node_modules");
const node = join(modules, "node", "bin", "node");
const vite = join(modules, "vite", "bin", "vite.js");
if (existsSync(node) && existsSync(vite) && existsSync(join(root, "dashboard", "index.html"))) {
  const { status } = spawnSync(node, [vite, "build", "--logLevel", "warn"], {
    cwd: join(root, "dashboard"),
    stdio: "inherit",
  });
  if (status !== 0) process.exit(status ?? 1);
}
// Tells tools/run.js that what is installed belongs to this lock file.
const lock = readFileSync(join(root, "package-lock.json"));
writeFileSync(join(modules, ".micro-installed"), createHash("sha256").update(lock).digest("hex"));
