import assert from "node:assert/strict";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { EventsHistory, type EventsNote } from "./events-history.ts";
import { LoopDisk } from "./loop-disk.ts";
import { CrashProgram } from "./program.ts";
import { Random } from "./random.ts";
import { crashRounds, type Doomed } from "./rounds.ts";
import { crashSeed } from "./seed.ts";

const skip = process.env["MICRO_NIGHTLY"] ? false : "in npm run test:nightly";
const rounds = 200;
/** At a time, each with its own disk. */
const lanes = 2;

describe("streams at night", { skip }, () => {
  it(`keep their word through ${rounds} rounds of whatever may happen to them (EV-03)`, {
    timeout: 900_000,
  }, async (t) => {
    const lacks = await LoopDisk.lacks();
    if (lacks !== undefined) return t.skip(lacks);
    const seed = crashSeed();
    t.diagnostic(`MICRO_CRASH_SEED=${seed}`);
    await using program = await CrashProgram.of(new URL("events-writer.ts", import.meta.url));
    const met = new Map<string, number>();
    const histories = Array.from({ length: lanes }, async (_, lane) => {
      const random = new Random(seed + lane);
      await using disk = await LoopDisk.of(256);
      const faults = faultsOf(disk, random);
      const history = new EventsHistory();
      await crashRounds<EventsNote>({
        program: program.file,
        dataDir: join(disk.path, "data"),
        rounds: rounds / lanes,
        seed: seed + lane,
        mostAcknowledged: 300,
        crash: async (running) => {
          const fault = random.pick(Object.keys(faults));
          met.set(fault, (met.get(fault) ?? 0) + 1);
          await faults[fault]?.(running);
        },
        check: (notes) => history.take(notes),
      });
      return history.acknowledged;
    });
    const acknowledged = (await Promise.all(histories)).reduce((sum, each) => sum + each, 0);
    t.diagnostic(`${acknowledged} events were acknowledged; ${JSON.stringify([...met])}`);
    assert.ok(acknowledged > rounds && met.size === 4);
  });
});

type Fault = (running: Doomed) => Promise<void>;

/** The ways in which a program may end. */
function faultsOf(disk: LoopDisk, random: Random): Readonly<Record<string, Fault>> {
  const filler = join(disk.path, "filler");
  return {
    kill: ({ kill }) => kill(),
    pause: async ({ pause, resume, kill }) => {
      await pause();
      await delay(random.below(200));
      resume();
      await delay(random.below(20));
      await kill();
    },
    "power cut": (running) => disk.failUnder(running),
    "full disk": async ({ kill }) => {
      // As much as there is room for.
      await writeFile(filler, Buffer.alloc(300 * 1024 * 1024)).catch(() => {});
      await delay(random.below(100));
      if (random.below(2) === 0) await rm(filler);
      await delay(random.below(50));
      await kill();
      await rm(filler, { force: true });
    },
  };
}
