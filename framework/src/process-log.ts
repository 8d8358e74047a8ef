import { type Log, lineLog } from "@microts/core";
import { connection } from "./connection.ts";

let log: Log | undefined;

/** The log of this process, on standard error. */
export function processLog(): Log {
  log ??= lineLog((line) => process.stderr.write(line), connection().env.logLevel);
  return log;
}
