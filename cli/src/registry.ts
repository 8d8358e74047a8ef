import { coreServices, defaultNamespace, MicroError } from "@microts/core";
import type { CallOptions } from "@microts/core/rpc";
import { isObject } from "./json.ts";
import type { Session } from "./session.ts";

/** The shape of a message or field (wire §6); a message has its fields in `values`. */
export interface Value {
  readonly name: string;
  readonly type: string;
  readonly values: readonly Value[];
}

export interface Endpoint {
  /** `Handler.Method`. */
  readonly name: string;
  /** Undefined when the registry has no schema. */
  readonly request: Value | undefined;
  readonly response: Value | undefined;
  readonly metadata: Readonly<Record<string, string>>;
}

export interface Node {
  readonly id: string;
  readonly address: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** One version of a running service. */
export interface Service {
  readonly name: string;
  readonly version: string;
  readonly endpoints: readonly Endpoint[];
  readonly nodes: readonly Node[];
}

/** A service and the namespace it was found in. */
export interface Located {
  readonly namespace: string;
  readonly versions: readonly Service[];
}

/**
 * What runs, asked from the registry in JSON: the commands that people run most then start without loading protobuf.
 */
export class RegistryView {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  /** The names of the services that run in a namespace, in order. What else the registry tells of them isn't read: it is much. */
  async names(namespace: string, signal: AbortSignal): Promise<string[]> {
    const reply = await this.#call("ListServices", { options: { domain: namespace } }, { signal });
    const names = listOf(field(reply, "services")).map((service) => textOf(service, "name"));
    return [...new Set(names)].toSorted();
  }

  /** Looks in the session's namespace, then in the platform's. Undefined when nothing of that name runs. */
  async find(name: string, signal: AbortSignal): Promise<Located | undefined> {
    const own = await this.#session.namespace();
    const namespaces = coreServices.has(name) ? [defaultNamespace] : [...new Set([own, defaultNamespace])];
    for (const namespace of namespaces) {
      const versions = await this.#get(name, namespace, signal).catch((error: unknown) => {
        // The platform's namespace may be closed to tenants.
        if (namespace !== own && error instanceof MicroError && (error.code === 401 || error.code === 403)) return [];
        throw error;
      });
      if (versions.length > 0) return { namespace, versions };
    }
    return undefined;
  }

  async #get(service: string, namespace: string, signal: AbortSignal): Promise<Service[]> {
    try {
      return servicesOf(await this.#call("GetService", { service, options: { domain: namespace } }, { signal }));
    } catch (error) {
      if (error instanceof MicroError && error.code === 404) return [];
      throw error;
    }
  }

  async #call(method: string, request: unknown, options: CallOptions): Promise<unknown> {
    const rpc = await this.#session.rpc();
    return rpc.callJson("registry", `Registry.${method}`, request, options);
  }
}

export function isStream(endpoint: Endpoint): boolean {
  return endpoint.metadata["stream"] === "true";
}

/** Proto JSON leaves out what is empty. */
function servicesOf(reply: unknown): Service[] {
  return listOf(field(reply, "services")).map((service) => ({
    name: textOf(service, "name"),
    version: textOf(service, "version"),
    endpoints: listOf(field(service, "endpoints")).map((endpoint) => ({
      name: textOf(endpoint, "name"),
      request: schemaFrom(field(endpoint, "request")),
      response: schemaFrom(field(endpoint, "response")),
      metadata: metadataOf(endpoint),
    })),
    nodes: listOf(field(service, "nodes")).map((node) => ({
      id: textOf(node, "id"),
      address: textOf(node, "address"),
      metadata: metadataOf(node),
    })),
  }));
}

function schemaFrom(value: unknown): Value | undefined {
  if (!isObject(value)) return undefined;
  const values = listOf(value["values"]).flatMap((each) => schemaFrom(each) ?? []);
  return { name: textOf(value, "name"), type: textOf(value, "type"), values };
}

function metadataOf(value: unknown): Record<string, string> {
  const metadata = field(value, "metadata");
  return isObject(metadata)
    ? Object.fromEntries(Object.entries(metadata).map(([key, text]) => [key, String(text)]))
    : {};
}

function field(value: unknown, name: string): unknown {
  return isObject(value) ? value[name] : undefined;
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function textOf(value: unknown, name: string): string {
  return String(field(value, name) ?? "");
}
