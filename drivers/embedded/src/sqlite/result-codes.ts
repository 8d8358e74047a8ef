import type { Failure } from "./protocol.ts";

/** Apart from `failure.ts`, so that the threads of the database, which only ask this, start without the platform's core. */

/** Primary result codes (sqlite.org/rescode.html). */
export const primary = {
  busy: 5,
  readOnly: 8,
  io: 10,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  tooBig: 18,
  notADatabase: 26,
} as const;

/** Extended codes of `io`: the index beside the log could not grow, which on Linux is a full disk. */
const indexCantGrow: readonly number[] = [io(19), io(21)];

function io(detail: number): number {
  return primary.io | (detail << 8);
}

/**
 * Whether the disk itself failed to write or to sync. What it says after that can't be believed: the system counts the data as written although it
 * isn't, and the next sync succeeds.
 */
export function isDiskFailure({ code }: Failure): boolean {
  return code > 0 && (code & 0xff) === primary.io && !indexCantGrow.includes(code);
}

export function isFullDisk({ code }: Failure): boolean {
  return code > 0 && (code & 0xff) === primary.full;
}
