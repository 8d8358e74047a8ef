// Runs after `npm ci`: builds what the sources do not hold, which is only the dashboard's browser bundle.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const node = join(root, "node_modules", "node", "bin", "node");
const vite = join(root, "node_modules", "vite", "bin", "vite.js");
if (existsSync(node) && existsSync(vite) && existsSync(join(root, "dashboard", "index.html"))) {
  const { status } = spawnSync(node, [vite, "build", "--logLevel", "warn"], {
    cwd: join(root, "dashboard"),
    stdio: "inherit",
  });
  process.exit(status ?? 1);
}
