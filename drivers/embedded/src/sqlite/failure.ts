import { MicroError } from "@microts/core";
import { type Failure, resultTooLarge, schemaTooNew } from "./protocol.ts";

/** Primary result codes (sqlite.org/rescode.html). */
const primary = {
  busy: 5,
  readOnly: 8,
  io: 10,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  tooBig: 18,
  notADatabase: 26,
} as const;

/** What a failure of the database means to whoever called, naming the file and what to do. */
export function errorOfFailure(failure: Failure, file: string): MicroError {
  const cause = new Error(`SQLite ${failure.code}: ${failure.message}`);
  switch (failure.code < 0 ? failure.code : failure.code & 0xff) {
    case resultTooLarge:
      return new MicroError(
        413,
        "store",
        `the result is too large (${failure.message}): read it in parts with limit and offset`,
        { cause },
      );
    case schemaTooNew:
      return new MicroError(
        412,
        "store",
        `${file} was written by a newer version of micro (${failure.message}): start that version, or name another data directory`,
        { cause },
      );
    case primary.tooBig:
      return new MicroError(413, "store", "the record is larger than the database can hold", { cause });
    case primary.full:
      return new MicroError(
        503,
        "store",
        `the disk with ${file} is full: nothing was written. Free some space and try again`,
        { cause },
      );
    case primary.corrupt:
    case primary.notADatabase:
      return new MicroError(
        500,
        "store",
        `${file} is damaged (${failure.message}): restore it from a backup, or move it away to start empty`,
        { cause },
      );
    case primary.cannotOpen:
    case primary.readOnly:
      return new MicroError(
        503,
        "store",
        `can't write to ${file} (${failure.message}): check that it and its directory belong to the user who runs the server`,
        { cause },
      );
    case primary.io:
      return new MicroError(503, "store", `the disk with ${file} failed (${failure.message})`, { cause });
    case primary.busy:
      return new MicroError(503, "store", `${file} is held by another program: close it and try again`, { cause });
    default:
      return new MicroError(500, "store", `the database refused: ${failure.message}`, { cause });
  }
}
