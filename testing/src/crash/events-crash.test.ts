import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { EventsHistory, type EventsNote } from "./events-history.ts";
import { CrashProgram } from "./program.ts";
import { crashRounds } from "./rounds.ts";
import { crashSeed } from "./seed.ts";

/** Two at a time, which is what most machines have processors for. */
const lanes = 2;
const rounds = process.env["MICRO_NIGHTLY"] ? 200 : 100;
/** A busy machine takes seconds to start the program again; what runs one file ends it after five minutes, at night after twenty. */
const timeout = process.env["MICRO_NIGHTLY"] ? 1_080_000 : 280_000;

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
    const histories = await Promise.all(
      Array.from({ length: lanes }, async (_, lane) => {
        const dataDir = await mkdtemp(join(tmpdir(), "micro-crash-"));
        try {
          const history = new EventsHistory();
          await crashRounds<EventsNote>({
            program: program.file,
            dataDir,
            rounds: rounds / lanes,
            seed: seed + lane,
            mostAcknowledged: 170,
            check: (notes) => history.take(notes),
          });
          return history;
        } finally {
          await rm(dataDir, { recursive: true });
        }
      }),
    );
    const acknowledged = histories.reduce((sum, history) => sum + history.acknowledged, 0);
    const acked = histories.reduce((sum, history) => sum + history.acked, 0);
    t.diagnostic(`${acknowledged} events and ${acked} acks were acknowledged`);
    assert.ok(acknowledged > rounds && acked > rounds);
  });
});
