import { coreServices, LineLimit, type Log, MicroError } from "@microts/core";

/**
 * Says in the log whom the platform's own services didn't get to see; a flood of one kind is a few lines and then one a minute. Whom they see and refuse
 * they say themselves, where it matters.
 */
export function refusals(log: Log, windowMs?: number): (service: string, endpoint: string, reason: unknown) => void {
  const limit = new LineLimit({
    windowMs,
    onLeftOut: (reason, count, ms) =>
      log.warn("audit: more callers were refused", { callers: count, seconds: ms / 1000, reason: reason || "various" }),
  });
  return (service, endpoint, reason) => {
    if (!coreServices.has(service)) return;
    const { detail } = MicroError.from(reason, "audit");
    if (limit.allows(detail)) log.warn("audit: a caller was refused", { service, endpoint, reason: detail });
  };
}
