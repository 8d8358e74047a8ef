import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Log } from "@microts/core";
import { markVariable } from "./process.ts";
import { killMarked, signalGroup, startTimeOf } from "./process-table.ts";

interface Note {
  readonly nodeId: string;
  readonly pid: number;
  readonly startTime: string | undefined;
}

/** Notes on disk of which processes run, so that the next server can end those that a killed one left behind. */
export class Leftovers {
  readonly #dir: string;
  readonly #log: Log;

  constructor(dir: string, log: Log) {
    this.#dir = dir;
    this.#log = log;
  }

  /** Writes down a process that has just been started. */
  async note(nodeId: string, pid: number): Promise<void> {
    const note: Note = { nodeId, pid, startTime: await startTimeOf(pid) };
    await writeFile(this.#path(nodeId), JSON.stringify(note), { mode: 0o600 });
  }

  /** Forgets a process that has ended. */
  async forget(nodeId: string): Promise<void> {
    await rm(this.#path(nodeId), { force: true });
  }

  /** Kills what a server before this one has left running. A process number that was given to another program since is left alone. */
  async killAll(): Promise<void> {
    await mkdir(this.#dir, { recursive: true, mode: 0o700 });
    for (const name of await readdir(this.#dir)) {
      const note = await this.#read(name);
      if (note !== undefined) {
        const same = note.startTime !== undefined && (await startTimeOf(note.pid)) === note.startTime;
        if (same) {
          this.#log.warn("killing a service process that an earlier server left behind", {
            node: note.nodeId,
            pid: note.pid,
          });
          signalGroup(note.pid, "SIGKILL");
          await gone(note);
        }
        await killMarked(markVariable, note.nodeId);
      }
      await rm(join(this.#dir, name), { force: true });
    }
  }

  async #read(name: string): Promise<Note | undefined> {
    try {
      return JSON.parse(await readFile(join(this.#dir, name), "utf8")) as Note;
    } catch {
      return undefined;
    }
  }

  #path(nodeId: string): string {
    return join(this.#dir, `${nodeId}.json`);
  }
}

/** A killed process takes a moment to give back its ports. One that is stuck in the kernel isn't waited for longer than 2 s. */
async function gone({ pid, startTime }: Note): Promise<void> {
  for (let waited = 0; waited < 2000 && (await startTimeOf(pid)) === startTime; waited += 10) await delay(10);
}
