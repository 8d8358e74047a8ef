// Loads the packed command's files along with what V8 made of them in an earlier process. Node.js's own compile cache has only what
// a file runs while it is loaded: each function would be compiled again in each process, for as long as a short command's own work takes.
"use strict";

const { existsSync, readFileSync, renameSync, rmSync, writeFileSync } = require("node:fs");
const { createRequire } = require("node:module");
const { dirname, join } = require("node:path");
const { Script } = require("node:vm");

/** One process in so many looks whether it has compiled more than is kept, which takes a while. */
const looksEvery = 16;

/** Requires a CommonJS file; it and what it requires from its own folder are kept in `folder`, which only its user should be able to write. */
exports.requireKept = (file, folder) => {
  const loaded = new Map();
  const unkept = [];
  const requireOther = createRequire(file);
  const requireFrom = (name) => (name.startsWith("./") ? load(join(dirname(file), name)) : requireOther(name));
  const load = (path) => {
    const known = loaded.get(path);
    if (known !== undefined) return known.exports;
    const module = { exports: {} };
    loaded.set(path, module);
    const compiled = compile(path, join(folder, nameOf(path)));
    if (compiled.keptBytes === 0 || process.pid % looksEvery === 0) unkept.push(compiled);
    compiled.script.runInThisContext()(module.exports, requireFrom, module, path, dirname(path));
    return module.exports;
  };
  process.once("exit", () => unkept.forEach(keep));
  return load(file);
};

/** What is kept is the code and, behind it, the source that it was made from. */
function compile(filename, keptPath) {
  const source = readFileSync(filename);
  const kept = read(keptPath);
  const cachedData = kept?.subarray(-source.length).equals(source) ? kept.subarray(0, -source.length) : undefined;
  const text = `(function (exports, require, module, __filename, __dirname) {${source}\n})`;
  const script = new Script(text, { filename, cachedData });
  const keptBytes = cachedData === undefined || script.cachedDataRejected ? 0 : cachedData.length;
  return { script, source, keptPath, keptBytes };
}

/** Keeps the code of all functions that have run in this process or in those before it, if that is more than is kept. */
function keep({ script, source, keptPath, keptBytes }) {
  const code = script.createCachedData();
  if (code.length <= keptBytes) return;
  const temporary = `${keptPath}.${process.pid}`;
  try {
    // Flushed, since V8 doesn't notice all damage, and a power cut may leave a renamed file without its data.
    writeFileSync(temporary, Buffer.concat([code, source]), { mode: 0o600, flag: "wx", flush: true });
    renameSync(temporary, keptPath);
  } catch {
    if (existsSync(temporary)) rmSync(temporary);
  }
}

function read(path) {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}

function nameOf(path) {
  return `micro-${path.replace(/\W+/g, "-").slice(-200)}`;
}
