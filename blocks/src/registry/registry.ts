import { defaultNamespace, type Log, MicroError, silent } from "@microts/core";
import { anyDomain, type Node, type RegistryDriver, type RegistryEvent, type ServiceEntry } from "./driver.ts";
import { RoutingView } from "./routing-view.ts";
import { checkDomain, checkEntry, checkServiceName } from "./validate.ts";

export interface DomainOptions {
  /** The tenant's namespace. Default `micro`. */
  readonly domain?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface RegisterOptions extends DomainOptions {
  /** The nodes are gone when not registered again within so many milliseconds. Default 90 s; 0 never. */
  readonly ttlMs?: number | undefined;
}

export interface WatchOptions extends DomainOptions {
  /** Only changes of this service. Default: of all. */
  readonly service?: string | undefined;
}

/** As the original's services ask for (wire §6). */
const defaultTtlMs = 90_000;
const maxTtlMs = 366 * 24 * 3_600_000;

const never = new AbortController().signal;

/** Who runs where: services by domain and name, each with versions, endpoints and nodes. */
export class Registry implements AsyncDisposable {
  readonly #driver: RegistryDriver;
  readonly #log: Log;
  #view: Promise<RoutingView> | undefined;

  constructor(driver: RegistryDriver, { log = silent }: { readonly log?: Log | undefined } = {}) {
    this.#driver = driver;
    this.#log = log;
  }

  /** Adds or renews the nodes of a service. `metadata.domain` of the service and its nodes says where they are registered. */
  async register(
    service: ServiceEntry,
    { domain = defaultNamespace, ttlMs = defaultTtlMs, signal = never }: RegisterOptions = {},
  ): Promise<void> {
    const id = "registry.Registry.Register";
    checkOneDomain(domain, id);
    checkEntry(service, id);
    if (service.nodes.length === 0)
      throw MicroError.badRequest(id, `service "${service.name}" was registered without a node`);
    if (!(ttlMs >= 0 && ttlMs <= maxTtlMs))
      throw MicroError.badRequest(id, `a lease of ${ttlMs} ms is not between 0 and a year`);
    await wrap(id, this.#driver.register(domain, inDomain(service, domain), ttlMs, signal));
  }

  /** Removes the nodes of a service by their ids. */
  async deregister(
    service: ServiceEntry,
    { domain = defaultNamespace, signal = never }: DomainOptions = {},
  ): Promise<void> {
    const id = "registry.Registry.Deregister";
    checkOneDomain(domain, id);
    checkServiceName(service.name, id);
    await wrap(id, this.#driver.deregister(domain, service, signal));
  }

  /** Every version of a service with live nodes, newest registration first; empty when there is none. */
  async get(name: string, { domain = defaultNamespace, signal = never }: DomainOptions = {}): Promise<ServiceEntry[]> {
    const id = "registry.Registry.GetService";
    return wrap(id, this.#driver.get(checkDomain(domain, id), checkServiceName(name, id), signal));
  }

  /** Every service and version in a domain, or in all with `*`, by name then version. */
  async services({ domain = defaultNamespace, signal = never }: DomainOptions = {}): Promise<ServiceEntry[]> {
    const id = "registry.Registry.ListServices";
    return wrap(id, this.#driver.list(checkDomain(domain, id), signal));
  }

  /** Changes from when the promise resolves, in order, until the signal aborts. Ends with an error rather than leave one out. */
  async watch({
    domain = defaultNamespace,
    service = "",
    signal = never,
  }: WatchOptions = {}): Promise<AsyncIterable<RegistryEvent>> {
    const id = "registry.Registry.Watch";
    if (service !== "") checkServiceName(service, id);
    return wrap(id, this.#driver.watch(checkDomain(domain, id), service, signal));
  }

  /** The view of all domains that routing reads without waiting; one for all callers, closed with the registry. */
  view(): Promise<RoutingView> {
    this.#view ??= RoutingView.open(this.#driver, this.#log).catch((error: unknown) => {
      this.#view = undefined;
      throw MicroError.from(error, "registry");
    });
    return this.#view;
  }

  /** Nodes of all versions of a service, from the view; empty when there is none. */
  async nodes(domain: string, name: string): Promise<readonly Node[]> {
    return (await this.view()).nodes(domain, name);
  }

  /** Closes the view; the driver is its owner's to close. */
  async [Symbol.asyncDispose](): Promise<void> {
    const view = await this.#view?.catch(() => undefined);
    await view?.[Symbol.asyncDispose]();
  }
}

function checkOneDomain(domain: string, id: string): void {
  checkDomain(domain, id);
  if (domain === anyDomain)
    throw MicroError.badRequest(id, `a service belongs to one domain; "${anyDomain}" means all and is for reading`);
}

function inDomain(service: ServiceEntry, domain: string): ServiceEntry {
  return {
    ...service,
    metadata: { ...service.metadata, domain },
    nodes: service.nodes.map((node) => ({ ...node, metadata: { ...node.metadata, domain } })),
  };
}

async function wrap<T>(id: string, answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw MicroError.from(error, id);
  }
}
