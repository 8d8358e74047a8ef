import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { CrashProgram } from "./program.ts";
import { Random } from "./random.ts";
import { notesIn } from "./rounds.ts";
import { crashSeed } from "./seed.ts";
import { StoreHistory, type StoreNote } from "./store-history.ts";

const runs = process.env["MICRO_NIGHTLY"] === undefined ? 8 : 120;
/** A new directory is made with some of these; then come changes and blobs. */
const mostCalls = { write: 250, sync: 40 };
const compiler = await promisify(execFile)("cc", ["--version"]).then(
  () => true,
  () => false,
);
const skip =
  process.platform !== "linux" ? "preloads a library, on Linux only" : !compiler && "needs a C compiler (cc)";

describe("a store whose disk fails once", { skip }, () => {
  let folder: string;
  let library: string;
  let program: CrashProgram;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "micro-faults-"));
    library = join(folder, "io-fault.so");
    const source = fileURLToPath(new URL("io-fault.c", import.meta.url));
    await promisify(execFile)("cc", ["-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"]);
    program = await CrashProgram.of(new URL("store-writer.ts", import.meta.url));
  });
  after(async () => {
    await program[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  it(`acknowledges nothing from then on, and has all from before, at each of ${runs} calls (ST-09, EV-13)`, {
    // Each starts three programs, for which a busy machine takes seconds.
    timeout: Math.min(60_000 + runs * 9_000, 1_080_000),
  }, async (t) => {
    const seed = crashSeed();
    t.diagnostic(`MICRO_CRASH_SEED=${seed}`);
    const random = new Random(seed);
    const hit = new Map<string, number>();
    for (let each = 0; each < runs; each++) {
      const kind = each % 2 === 0 ? "write" : "sync";
      const call = 1 + random.below(mostCalls[kind]);
      const run = join(folder, String(each));
      const note = join(folder, `${each}.fault`);
      const history = new StoreHistory();
      const failing = {
        LD_PRELOAD: library,
        FAULT_AT: String(call),
        FAULT_CALL: kind,
        FAULT_PATH: `${run}/`,
        FAULT_NOTE: note,
      };
      history.take(await notesOf(run, "1", failing));
      history.take(await notesOf(run, "2", {}));
      history.take(await notesOf(run, "3", {}));
      const fault = await readFile(note, "utf8").catch(() => "nothing");
      const what = fault
        .trim()
        .replace(/of .*micro\.db/, "of micro.db")
        .replace(/of .*\/blobs.*/, "of a blob");
      hit.set(what, (hit.get(what) ?? 0) + 1);
    }
    t.diagnostic(JSON.stringify(Object.fromEntries(hit)));
    assert.ok(hit.size > 1);
  });

  /** What the program noted until it gave up or had done enough. */
  async function notesOf(dataDir: string, seed: string, env: Record<string, string>): Promise<StoreNote[]> {
    const historyFile = `${dataDir}.${seed}.history`;
    const child = spawn(process.execPath, [program.file, dataDir, historyFile, seed], {
      stdio: ["ignore", "pipe", "ignore"],
      env: { PATH: process.env["PATH"] ?? "", ...env },
    });
    let heard = 0;
    child.stdout.on("data", (bytes: Buffer) => {
      heard += bytes.length;
      if (heard > 120) child.kill("SIGKILL");
    });
    const late = setTimeout(() => child.kill("SIGKILL"), 30_000);
    await once(child, "close");
    clearTimeout(late);
    return notesIn(await readFile(historyFile, "utf8").catch(() => ""));
  }
});
