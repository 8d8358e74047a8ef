import { coreServices, type Log, MicroError } from "@microts/core";

/** Says in the log whom the platform's own services didn't get to see. Whom they see and refuse they say themselves, where it matters. */
export function refusals(log: Log): (service: string, endpoint: string, reason: unknown) => void {
  return (service, endpoint, reason) => {
    if (!coreServices.has(service)) return;
    log.warn("audit: a caller was refused", { service, endpoint, reason: MicroError.from(reason, "audit").detail });
  };
}
