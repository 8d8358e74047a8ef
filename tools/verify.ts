// Runs every check of the repository and goes on after a failure, so that all mistakes are seen at once.
// `--no-test` leaves the tests out.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

interface Step {
  name: string;
  /** A program in node_modules/.bin or a tool beside this file, and its arguments. */
  command: [string, ...string[]];
}

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const stepsAtOnce = 2;
const { values } = parseArgs({ options: { "no-test": { type: "boolean", default: false } } });

const checks: Step[] = [
  { name: "dead code", command: ["knip", "--no-progress", "--no-config-hints"] },
  { name: "types", command: ["tsc", "--noEmit", "-p", "."] },
  ...(existsSync(join(root, "dashboard/tsconfig.json"))
    ? [{ name: "dashboard types", command: ["tsc", "--noEmit", "-p", "dashboard"] } satisfies Step]
    : []),
  {
    name: "format and lint",
    command: ["biome", "ci", "--colors=off", "--diagnostic-level=warn", "--error-on-warnings"],
  },
  { name: "import rules", command: ["tools/import-rules.ts"] },
  { name: "generated code", command: ["tools/generate.ts", "--check"] },
];

const results = await runAll(checks);
if (!values["no-test"]) results.push(await runStep({ name: "tests", command: ["tools/test.ts"] }));
const failed = results.filter(({ isOk }) => !isOk).map(({ name }) => name);
console.log(failed.length === 0 ? "Everything is fine." : `Failed: ${failed.join(", ")}.`);
if (failed.length > 0) process.exitCode = 1;

interface Result {
  name: string;
  isOk: boolean;
}

async function runAll(steps: Step[]): Promise<Result[]> {
  const waiting = [...steps];
  const results: Result[] = [];
  const work = async (): Promise<void> => {
    for (let step = waiting.shift(); step; step = waiting.shift()) results.push(await runStep(step));
  };
  await Promise.all(Array.from({ length: stepsAtOnce }, work));
  return results;
}

/** Runs one step and prints its line; what it printed itself only when it failed. */
async function runStep({ name, command: [program, ...args] }: Step): Promise<Result> {
  const startedMs = performance.now();
  const script = program.endsWith(".ts") ? join(root, program) : binary(program);
  const child = spawn(process.execPath, [script, ...args], { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  const exited = new Promise<number>((done) => child.once("close", (code) => done(code ?? 1)));
  const [code, out, err] = await Promise.all([exited, text(child.stdout), text(child.stderr)]);
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  console.log(`${code === 0 ? "ok    " : "FAILED"} ${name} (${seconds} s)`);
  if (code !== 0) console.log(`${out}${err}`.trimEnd().replaceAll(/^/gm, "  "));
  return { name, isOk: code === 0 };
}

function binary(name: string): string {
  return join(root, "node_modules", ".bin", name);
}
