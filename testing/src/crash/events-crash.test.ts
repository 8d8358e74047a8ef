import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { EventsHistory, type EventsNote } from "./events-history.ts";
import { CrashProgram } from "./program.ts";
import { crashRounds } from "./rounds.ts";
import { crashSeed } from "./seed.ts";

const rounds = process.env["MICRO_NIGHTLY"] ? 200 : 12;
/** A busy machine takes seconds to start the program again. */
const timeout = 60_000 + rounds * 4_000;

describe("streams that are killed", () => {
  let program: CrashProgram;
  before(async () => {
    program = await CrashProgram.of(new URL("events-writer.ts", import.meta.url));
  });
  after(() => program[Symbol.asyncDispose]());

  it(`have all they acknowledged, once, in order and without a gap, ${rounds} times over (EV-01)`, {
    timeout,
  }, async (t) => {
    const seed = crashSeed();
    t.diagnostic(`MICRO_CRASH_SEED=${seed}`);
    const dataDir = await mkdtemp(join(tmpdir(), "micro-crash-"));
    try {
      const history = new EventsHistory();
      await crashRounds<EventsNote>({
        program: program.file,
        dataDir,
        rounds,
        seed,
        mostAcknowledged: 1_000,
        check: (notes) => history.take(notes),
      });
      t.diagnostic(`${history.acknowledged} events and ${history.acked} acks were acknowledged`);
      assert.ok(history.acknowledged > rounds && history.acked > rounds);
    } finally {
      await rm(dataDir, { recursive: true });
    }
  });
});
