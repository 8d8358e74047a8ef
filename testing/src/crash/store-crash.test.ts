import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, describe, it } from "node:test";
import { CrashProgram } from "./program.ts";
import { crashRounds } from "./rounds.ts";
import { crashSeed } from "./seed.ts";
import { StoreHistory, type StoreNote } from "./store-history.ts";

/** Two at a time, which is what most machines have processors for. */
const lanes = 2;
const rounds = 100;

describe("a store that is killed", () => {
  let program: CrashProgram;
  before(async () => {
    program = await CrashProgram.of(new URL("store-writer.ts", import.meta.url));
  });
  after(() => program[Symbol.asyncDispose]());

  it(`has all it acknowledged and no half of anything, ${rounds} times over (ST-01)`, {
    timeout: 280_000,
  }, async (t) => {
    const seed = crashSeed();
    t.diagnostic(`MICRO_CRASH_SEED=${seed}`);
    const acknowledged = await Promise.all(
      Array.from({ length: lanes }, async (_, lane) => {
        const dataDir = await mkdtemp(join(tmpdir(), "micro-crash-"));
        try {
          const history = new StoreHistory();
          await crashRounds<StoreNote>({
            program: program.file,
            dataDir,
            rounds: rounds / lanes,
            seed: seed + lane,
            mostAcknowledged: 400,
            check: (notes) => history.take(notes),
          });
          assert.deepEqual(integrity(dataDir), "ok");
          return history.acknowledged;
        } finally {
          await rm(dataDir, { recursive: true });
        }
      }),
    );
    const total = acknowledged.reduce((sum, each) => sum + each, 0);
    t.diagnostic(`${total} changes were acknowledged`);
    assert.ok(total > rounds);
  });
});

function integrity(dataDir: string): unknown {
  const database = new DatabaseSync(join(dataDir, "micro.db"));
  const row = database.prepare("PRAGMA integrity_check").get();
  database.close();
  return row?.["integrity_check"];
}
