import { MicroError } from "@microts/core";
import type { Endpoint } from "../registry/index.ts";
import type { GatewayOptions, KnownService } from "./options.ts";
import { nearNames, type Target } from "./resolve/index.ts";

/** Whether the caller may see that a service's endpoint is there: what it may not call, it isn't told of. */
type MaySee = (service: string, endpoint: string) => Promise<boolean>;

/** The endpoint as the registry knows it; undefined when the service publishes none. */
export function findEndpoint(service: KnownService, name: string): Endpoint | undefined {
  for (const endpoint of service.endpoints) if (endpoint.name === name) return endpoint;
  return undefined;
}

export function isStream(endpoint: Endpoint | undefined): boolean {
  return endpoint?.metadata.stream === "true";
}

/** The 404 for a service that isn't there: names it, the namespace, and what it may have been meant to be. */
export async function unknownService(
  { service, endpoint }: Target,
  namespace: string,
  options: Pick<GatewayOptions, "serviceNames">,
  maySee: MaySee,
): Promise<MicroError> {
  const near: string[] = [];
  for (const name of nearNames(service, options.serviceNames(namespace))) {
    if (await maySee(name, endpoint)) near.push(`"${name}"`);
  }
  const hint = near.length > 0 ? ` Did you mean ${near.join(" or ")}?` : "";
  const shown = JSON.stringify(service.slice(0, 100));
  return MicroError.notFound(
    "go.micro.api",
    `service ${shown} not found in namespace "${namespace}".${hint} See what is running with: micro services`,
  );
}

const maxNamed = 50;

/** The 404 for an endpoint that isn't there: names those that are. */
export async function unknownEndpoint(
  target: Target,
  namespace: string,
  known: KnownService,
  maySee: MaySee,
): Promise<MicroError> {
  const names: string[] = [];
  for (const { name, metadata } of known.endpoints.slice(0, maxNamed)) {
    const isCallable = metadata.topic === undefined && !name.startsWith("Debug.");
    if (isCallable && (await maySee(target.service, name))) names.push(name);
  }
  const shown = JSON.stringify(target.endpoint.slice(0, 100));
  return MicroError.notFound(
    "go.micro.api",
    `service "${target.service}" in namespace "${namespace}" has no endpoint ${shown}. It has ${names.join(", ") || "none that you may call"}`,
  );
}
