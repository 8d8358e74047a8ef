import { create } from "@bufbuild/protobuf";
import {
  type Endpoint as EndpointMessage,
  type Service as ServiceMessage,
  ServiceSchema,
  type Value as ValueMessage,
} from "@microts/proto/registry";
import type { Endpoint, ServiceEntry, Value } from "./driver.ts";

/** Schemas nest; what came deeper than this is cut off before it is checked, so that no depth exhausts the stack. */
const maxDepth = 40;

/** An entry as it goes over the wire; leases are only told when registering. */
export function messageOf(
  entry: ServiceEntry,
  options?: { readonly domain: string; readonly ttlSeconds: number },
): ServiceMessage {
  return create(ServiceSchema, {
    name: entry.name,
    version: entry.version,
    metadata: { ...entry.metadata },
    endpoints: entry.endpoints.map(({ name, request, response, metadata }) => ({
      name,
      ...(request !== undefined && { request: valueMessage(request) }),
      ...(response !== undefined && { response: valueMessage(response) }),
      metadata: { ...metadata },
    })),
    nodes: entry.nodes.map(({ id, address, metadata }) => ({ id, address, metadata: { ...metadata } })),
    ...(options !== undefined && { options: { domain: options.domain, ttl: BigInt(options.ttlSeconds) } }),
  });
}

/** The entry a message stands for. No version is `latest`, as the original's services mean it. */
export function entryOf({ name, version, metadata, endpoints, nodes }: ServiceMessage): ServiceEntry {
  return {
    name,
    version: version || "latest",
    metadata,
    endpoints: endpoints.map(endpointOf),
    nodes: nodes.map(({ id, address, port, metadata: own }) => ({
      id,
      address: withPort(address, port),
      metadata: own,
    })),
  };
}

function endpointOf({ name, request, response, metadata }: EndpointMessage): Endpoint {
  return { name, request: request && schemaOf(request, 0), response: response && schemaOf(response, 0), metadata };
}

function schemaOf({ name, type, values }: ValueMessage, depth: number): Value {
  return { name, type, values: depth >= maxDepth ? [] : values.map((value) => schemaOf(value, depth + 1)) };
}

type ValueInit = { name: string; type: string; values: ValueInit[] };

function valueMessage({ name, type, values }: Value): ValueInit {
  return { name, type, values: values.map(valueMessage) };
}

/** The port has a field of its own that the original leaves empty. */
function withPort(address: string, port: bigint): string {
  return port > 0n && !/:\d+$/.test(address) ? `${address}:${port}` : address;
}
