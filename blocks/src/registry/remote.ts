import { MicroError } from "@microts/core";
import { openStream, type RpcClient, type ServiceClient, serviceClient } from "@microts/core/rpc";
import { Registry as RegistryService, type Result } from "@microts/proto/registry";
import type { RegistryDriver, RegistryEvent, ServiceEntry } from "./driver.ts";
import { entryOf, messageOf } from "./messages.ts";

/** The platform's registry over RPC. Leases travel in whole seconds, rounded up. */
export class RemoteRegistry implements RegistryDriver {
  readonly name = "remote";
  readonly #rpc: RpcClient;
  readonly #registry: ServiceClient<(typeof RegistryService)["method"]>;

  constructor(rpc: RpcClient) {
    this.#rpc = rpc;
    this.#registry = serviceClient(RegistryService, rpc, "registry");
  }

  async register(domain: string, service: ServiceEntry, ttlMs: number, signal: AbortSignal): Promise<void> {
    await this.#registry.register(messageOf(service, { domain, ttlSeconds: Math.ceil(ttlMs / 1000) }), { signal });
  }

  async deregister(domain: string, service: ServiceEntry, signal: AbortSignal): Promise<void> {
    await this.#registry.deregister(messageOf(service, { domain, ttlSeconds: 0 }), { signal });
  }

  async get(domain: string, name: string, signal: AbortSignal): Promise<ServiceEntry[]> {
    try {
      const { services } = await this.#registry.getService({ service: name, options: { domain } }, { signal });
      return services.map(entryOf);
    } catch (error) {
      if (error instanceof MicroError && error.code === 404) return [];
      throw error;
    }
  }

  async list(domain: string, signal: AbortSignal): Promise<ServiceEntry[]> {
    const { services } = await this.#registry.listServices({ options: { domain } }, { signal });
    return services.map(entryOf);
  }

  async watch(domain: string, name: string, signal: AbortSignal): Promise<AsyncIterable<RegistryEvent>> {
    const request = { service: name, options: { domain } };
    return eventsOf(await openStream(RegistryService.method.watch, this.#rpc, "registry", request, { signal }), signal);
  }

  /** The RPC client is its owner's to close. */
  async [Symbol.asyncDispose](): Promise<void> {}
}

/** Without an error at the end that the signal itself brought about. */
async function* eventsOf(
  results: AsyncIterable<Result>,
  signal: AbortSignal,
): AsyncGenerator<RegistryEvent, void, undefined> {
  try {
    for await (const result of results) {
      const event = eventOf(result);
      if (event !== undefined) yield event;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

function eventOf({ action, service, timestamp }: Result): RegistryEvent | undefined {
  if (service === undefined || (action !== "create" && action !== "update" && action !== "delete")) return undefined;
  const domain = service.metadata["domain"] ?? "";
  return { action, domain, service: entryOf(service), at: new Date(Number(timestamp) * 1000) };
}
