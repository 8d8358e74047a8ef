// Runs the tests: all of them, or those in the files and folders named on the command line. `--name=PATTERN` picks by name;
// `--nightly` includes those that take long (they look at MICRO_NIGHTLY).
import { glob, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const filesAtOnce = 2;

const { values, positionals } = parseArgs({
  options: { name: { type: "string" }, nightly: { type: "boolean", default: false } },
  allowPositionals: true,
});
if (values.nightly) process.env.MICRO_NIGHTLY = "1";
/** For one file. */
const timeoutMs = (values.nightly ? 20 : 5) * 60_000;
const files = await testFiles(positionals);
if (files.length === 0) fail(`No test files in ${positionals.join(" ") || "the repository"}.`);

const stopped = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stopped.abort());

const tests = run({
  files,
  cwd: root,
  concurrency: filesAtOnce,
  timeout: timeoutMs,
  signal: stopped.signal,
  execArgv: ["--import", new URL("test-deadline.ts", import.meta.url).href],
  ...(values.name !== undefined && { testNamePatterns: values.name }),
});
let counted = 0;
tests.on("test:summary", ({ file, counts, success }) => {
  if (file !== undefined) return;
  counted = counts.tests - counts.skipped;
  if (!success) process.exitCode = 1;
});
await pipeline(tests, new spec(), process.stdout, { end: false });
if (counted === 0) fail("No test ran.");

async function testFiles(names: string[]): Promise<string[]> {
  const found = new Set<string>();
  for (const name of names.length > 0 ? names : ["."]) {
    const path = resolve(root, name);
    const isFolder = (await stat(path).catch(() => fail(`There is no ${name}.`))).isDirectory();
    if (!isFolder) found.add(path);
    else for await (const file of glob("**/*.test.ts", { cwd: path, exclude })) found.add(join(path, file));
  }
  return [...found].toSorted();
}

function exclude(path: string): boolean {
  return /(^|[\\/])(node_modules|dist|templates|\.git)$/.test(path);
}

function fail(message: string): never {
  console.error(message);
  process.exit(1);
}
