import type { Method } from "@microts/core/rpc";
import { type Health, standardServices } from "@microts/core/rpc/services";
import { Debug } from "@microts/proto/debug";
import type { BoundEndpoint } from "./methods.ts";
import { describeService } from "./schema/descriptor.ts";

/**
 * gRPC's health checking and server reflection, which every service answers on its own port: the service and each of its handlers can be
 * called, and look like what their schemas say.
 */
export function serviceStandards(
  service: string,
  endpoints: readonly BoundEndpoint[],
  health: Health,
): ReadonlyMap<string, ReadonlyMap<string, Method>> {
  health.set(service, true);
  for (const { method } of endpoints) health.set(`${service}.${method.name.slice(0, method.name.indexOf("."))}`, true);
  const described = () =>
    endpoints.flatMap(({ method: { name, kind }, messages }) => (messages ? { name, kind, ...messages } : []));
  return standardServices({ health, services: () => [...describeService(service, described()), Debug] });
}
