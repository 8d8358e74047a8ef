import { type ErrorCode, MicroError } from "@microts/core";
import { type Failure, logDamaged, resultTooLarge, schemaTooNew } from "./protocol.ts";
import { isDiskFailure, primary } from "./result-codes.ts";

type Make = (code: ErrorCode, detail: string) => MicroError;

/** What to tell about a file that isn't whole. */
export function damaged(file: string, problem: string): string {
  return `${file} is damaged (${problem}): restore a backup with: micro server restore <folder>, or move the file away to start empty`;
}

/** What a failure of the database means to whoever called, naming the file and what to do. */
export function errorOfFailure(failure: Failure, file: string): MicroError {
  const cause = new Error(`SQLite ${failure.code}: ${failure.message}`);
  const error: Make = (code, detail) => new MicroError(code, "store", detail, { cause });
  switch (failure.code < 0 ? failure.code : failure.code & 0xff) {
    case resultTooLarge:
      return error(413, `the result is too large (${failure.message}): read it in parts with limit and offset`);
    case schemaTooNew:
      return error(
        412,
        `${file} was written by a newer version of micro (${failure.message}): start that version, or name another data directory`,
      );
    case logDamaged:
      return error(
        500,
        `${file}-wal is damaged (${failure.message}): restore a backup with: micro server restore <folder>, or cut the file to its good bytes with truncate(1) to go on without the rest`,
      );
    case primary.tooBig:
      return error(413, "the record is larger than the database can hold");
    case primary.full:
      return diskFull(error, file);
    case primary.corrupt:
    case primary.notADatabase:
      return error(500, damaged(file, failure.message));
    case primary.cannotOpen:
    case primary.readOnly:
      return error(
        503,
        `can't write to ${file} (${failure.message}): check that it and its directory belong to the user who runs the server`,
      );
    case primary.io:
      if (!isDiskFailure(failure)) return diskFull(error, file);
      return error(
        503,
        `the disk with ${file} failed (${failure.message}): check it, then start the server again. After a failed write nothing is written until then`,
      );
    case primary.busy:
      return error(503, `${file} is held by another program: close it and try again`);
    default:
      return error(500, `the database refused: ${failure.message}`);
  }
}

function diskFull(error: Make, file: string): MicroError {
  return error(507, `the disk with ${file} is full: nothing was written. Free some space and try again`);
}
