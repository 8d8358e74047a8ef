import { MicroError } from "@microts/core";
import { CommandError } from "./failure.ts";
import { hint } from "./nearest.ts";
import { RegistryView } from "./registry.ts";
import type { Session } from "./session.ts";

/** Throws the error again, with the names that were probably meant when it says that the service or its endpoint isn't there. */
export async function explainMissing(
  error: unknown,
  service: string,
  endpoint: string,
  session: Session,
  signal: AbortSignal,
): Promise<never> {
  const isMissing =
    error instanceof MicroError &&
    /not found|unknown (service|method|endpoint)/.test(error.detail) &&
    [404, 500, 501].includes(error.code);
  if (!isMissing || signal.aborted) throw error;
  const registry = new RegistryView(session);
  const found = await registry.find(service, signal).catch(() => undefined);
  if (found === undefined) throw await serviceNotFound(service, session, signal);
  const endpoints = found.versions[0]?.endpoints.map(({ name }) => name) ?? [];
  if (endpoints.includes(endpoint) || endpoints.length === 0) throw error;
  throw new CommandError(
    5,
    `Service method "${service}.${endpoint}" not found. ${hint(endpoint, endpoints)}It has: ${endpoints.join(", ")}`,
    404,
  );
}

/** Exit code 4, as for a route that isn't there. */
export async function serviceNotFound(service: string, session: Session, signal: AbortSignal): Promise<CommandError> {
  const running = await new RegistryView(session).names(await session.namespace(), signal).catch(() => []);
  const near = hint(service, running);
  return new CommandError(
    4,
    `Service "${service}" not found in namespace "${await session.namespace()}". ${near}See what runs: micro services`,
    404,
  );
}
