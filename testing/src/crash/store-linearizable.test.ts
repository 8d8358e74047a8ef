import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { inexplicable } from "../linearizable/checker.ts";
import { register } from "../linearizable/register.ts";
import { until } from "../until.ts";
import { CrashProgram } from "./program.ts";
import { Random } from "./random.ts";
import { crashSeed } from "./seed.ts";
import { StoreClients } from "./store-clients.ts";

const rounds = process.env["MICRO_NIGHTLY"] === undefined ? 2 : 30;
/** A busy machine takes seconds to start the server again, which happens a few times in a round. */
const timeout = 60_000 + rounds * 20_000;
const clients = 8;
const keys = ["a", "b", "c"];
/** So often in a round something happens to the server. */
const faults = 5;
/** Something happens after up to so many more answers. */
const mostAnswers = 300;
const mostPauseMs = 600;

describe("a store that is killed under its clients", () => {
  let program: CrashProgram;
  before(async () => {
    program = await CrashProgram.of(new URL("store-server.ts", import.meta.url));
  });
  after(() => program[Symbol.asyncDispose]());

  it(`answers ${clients} clients as one register a key would, in ${rounds} rounds (ST-06)`, {
    timeout,
  }, async (t) => {
    const seed = crashSeed();
    t.diagnostic(`MICRO_CRASH_SEED=${seed}`);
    const total = { answered: 0, unknown: 0, done: 0, refused: 0 };
    for (let round = 0; round < rounds; round++) {
      const history = await oneRound(program, seed * 100 + round);
      for (const [key, operations] of history.histories()) {
        const wrong = inexplicable(register, operations);
        assert.equal(wrong, undefined, `round ${round} of seed ${seed}, key ${key}`);
      }
      total.answered += history.answered;
      total.unknown += history.unknown;
      total.done += history.swaps.done;
      total.refused += history.swaps.refused;
    }
    t.diagnostic(JSON.stringify(total));
    // Something has to have been at stake.
    assert.ok(total.answered > rounds * 200 && total.done > rounds && total.refused > rounds && total.unknown > rounds);
  });
});

async function oneRound(program: CrashProgram, seed: number): Promise<StoreClients> {
  const random = new Random(seed);
  const dataDir = await mkdtemp(join(tmpdir(), "micro-crash-"));
  let server = await start(program, dataDir);
  let starting: Promise<unknown> | undefined;
  const address = async () => {
    await starting;
    return server.address;
  };
  const history = new StoreClients({ clients, keys, seed, address });
  const running = history.run();
  try {
    for (let fault = 0; fault < faults; fault++) {
      const enough = history.answered + 1 + random.below(mostAnswers);
      await Promise.race([
        running,
        until(
          async () => history.answered,
          (answered) => answered >= enough,
          20_000,
          1,
        ),
      ]);
      if (random.below(3) === 0) {
        server.process.kill("SIGSTOP");
        await delay(random.below(mostPauseMs));
        server.process.kill("SIGCONT");
        if (random.below(2) === 0) continue;
      }
      const started = Promise.withResolvers<void>();
      starting = started.promise;
      try {
        await kill(server.process);
        history.died();
        server = await start(program, dataDir);
      } finally {
        started.resolve();
      }
    }
    const enough = history.answered + clients * keys.length;
    await until(
      async () => history.answered,
      (answered) => answered >= enough,
      20_000,
      1,
    );
  } finally {
    history.stop();
    await running.finally(() => kill(server.process));
    await rm(dataDir, { recursive: true });
  }
  return history;
}

interface Server {
  readonly process: ChildProcess;
  readonly address: string;
}

async function start(program: CrashProgram, dataDir: string): Promise<Server> {
  const child = spawn(process.execPath, [program.file, dataDir], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(child, "close").then(([code]) => {
    throw new Error(`the server ended by itself with ${code}`);
  });
  // Of interest until it listens.
  ended.catch(() => {});
  const [text] = await Promise.race([once(child.stdout, "data"), ended]);
  return { process: child, address: String(text).trim() };
}

/** Resolves when it is dead, and nothing of it can happen any more. */
async function kill(child: ChildProcess): Promise<void> {
  const closed = once(child, "close");
  child.kill("SIGKILL");
  await closed;
}
