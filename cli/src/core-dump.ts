import { writeFileSync } from "node:fs";

/**
 * Leaves this process's memory out of what the system keeps of it after a crash, and that of the processes it starts: secrets are in there in clear.
 * Linux only; elsewhere core dumps are whatever the system makes of them.
 */
export function keepMemoryOutOfCoreDumps(): void {
  try {
    writeFileSync("/proc/self/coredump_filter", "0");
  } catch {
    // No such file, or not ours to write: then it is the system's to decide.
  }
}
