import { readdir, readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";

/**
 * When a process started, in clock ticks since boot, so that a number used again isn't mistaken for it; undefined when there is no such process
 * or the system has no /proc.
 */
export async function startTimeOf(pid: number): Promise<string | undefined> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, "latin1");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

/** Sends a signal to every process of a group. Does nothing when there is none. */
export function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // The group is gone, which is what was wanted.
  }
}

/**
 * Kills the processes that were started with this variable in their environment, wherever they have moved themselves (own session, own group,
 * another parent). Looks again until there are none, as they may be starting others. Finds nothing without /proc.
 */
export async function killMarked(variable: string, value: string): Promise<void> {
  const mark = `${variable}=${value}\0`;
  for (let round = 0; round < 10; round++) {
    const found = await findMarked(mark);
    if (found.length === 0) return;
    for (const pid of found) killOne(pid);
    await delay(5);
  }
}

async function findMarked(mark: string): Promise<number[]> {
  const names = await readdir("/proc").catch(() => []);
  const pids = names.filter((name) => /^\d+$/.test(name)).map(Number);
  const marked = await Promise.all(
    pids.map(async (pid) => pid !== process.pid && (await environmentOf(pid)).includes(mark)),
  );
  return pids.filter((_, index) => marked[index]);
}

/** "" for processes of others, and for those that have ended. */
async function environmentOf(pid: number): Promise<string> {
  return readFile(`/proc/${pid}/environ`, "latin1").catch(() => "");
}

function killOne(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended by itself in between.
  }
}
