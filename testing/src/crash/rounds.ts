import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, open, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { until } from "../until.ts";
import { Random } from "./random.ts";

export interface CrashRounds<Note> {
  /** The file of a `CrashProgram`. It is run with the directory, the file to note in (a JSON text a line) and a seed, and writes a byte to standard output for each acknowledgement. */
  readonly program: string;
  readonly dataDir: string;
  readonly rounds: number;
  /** Decides what the program does and when it is killed. */
  readonly seed: number;
  /** It is killed at some acknowledgement up to this one, and a little later. */
  readonly mostAcknowledged: number;
  /** Ends the program and resolves when it may be started again. Default: kills it. */
  crash?(program: Doomed): Promise<void>;
  /** Is given what the program noted in a round, after it is dead. Throws when that can't be. */
  check(notes: readonly Note[]): void;
}

/** The running program, at the moment of its end. */
export interface Doomed {
  /** Resolves when it runs no more, and has not ended. */
  pause(): Promise<void>;
  /** Lets it run on after a pause. */
  resume(): void;
  /** Resolves when it is dead. */
  kill(): Promise<void>;
}

/** How long after an acknowledgement the end comes at most: about as long as a commit takes. */
const mostDelayMs = 6;
const startMs = 60_000;

/** Starts a program, kills it at a random point of its work and starts it again, so many times; then once more, to see what is left. */
export async function crashRounds<Note>({ crash = killed, ...options }: CrashRounds<Note>): Promise<void> {
  const random = new Random(options.seed);
  const folder = await mkdtemp(join(tmpdir(), "micro-crash-history-"));
  const historyFile = join(folder, "history");
  await using history = await open(historyFile, "a+");
  let read = 0;
  try {
    for (let round = 0; round <= options.rounds; round++) {
      const seed = options.seed * 1_000 + round;
      const child = spawn(process.execPath, [options.program, options.dataDir, historyFile, String(seed)], {
        stdio: ["ignore", "pipe", "pipe"],
      });
      await acknowledged(child, 1 + random.below(options.mostAcknowledged));
      await delay(random.below(mostDelayMs));
      await crash({ pause: () => pause(child), resume: () => child.kill("SIGCONT"), kill: () => kill(child) });
      const { size } = await history.stat();
      const { buffer } = await history.read(Buffer.alloc(size - read), 0, size - read, read);
      read = size;
      try {
        options.check(notesIn(buffer.toString()));
      } catch (error) {
        throw new Error(`round ${round} of seed ${options.seed}: ${error instanceof Error ? error.message : error}`, {
          cause: error,
        });
      }
    }
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function killed({ kill }: Doomed): Promise<void> {
  await kill();
}

async function pause(child: ChildProcess): Promise<void> {
  child.kill("SIGSTOP");
  const state = async () => (await readFile(`/proc/${child.pid}/stat`, "utf8")).split(") ")[1]?.[0] ?? "";
  await until(state, (letter) => /[TZ]/.test(letter), 10_000, 1);
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = once(child, "close");
  child.kill("SIGKILL");
  await closed;
}

/** Resolves when the program has been told so many times that something is written. */
async function acknowledged(child: ChildProcess, count: number): Promise<void> {
  let said = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (said += text));
  let heard = 0;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  child.stdout?.on("data", (bytes: Buffer) => {
    heard += bytes.length;
    if (heard >= count) resolve();
  });
  child.once("close", (code) => reject(new Error(`the program ended by itself with ${code}: ${said}`)));
  const late = setTimeout(() => {
    child.kill("SIGKILL");
    reject(new Error(`the program acknowledged ${heard} of ${count} in ${startMs} ms: ${said}`));
  }, startMs);
  await promise.finally(() => clearTimeout(late));
}

/** A process that is killed may leave half a line. */
export function notesIn<Note>(text: string): Note[] {
  const lines = text.split("\n");
  return lines.slice(0, -1).map((line) => JSON.parse(line) as Note);
}
