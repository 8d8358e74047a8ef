import { type Log, MicroError } from "@microts/core";

/** The error as a browser may see it. The text of one that nobody foresaw, and every stack, goes to the log instead. */
export function presentable(reason: unknown, log: Log): MicroError {
  const error = MicroError.from(reason, "dashboard");
  if (error === reason || error.code !== 500) return error;
  log.error("dashboard request failed", { error: reason instanceof Error ? reason.stack : String(reason) });
  return MicroError.internal("dashboard", "something failed inside the server; its log says more");
}
