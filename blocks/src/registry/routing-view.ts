import { type Log, MicroError } from "@microts/core";
import { anyDomain, type Node, type RegistryDriver, type RegistryEvent, type ServiceEntry } from "./driver.ts";

/** The versions of a service with their nodes, newest registration first. */
interface Service {
  readonly entries: readonly ServiceEntry[];
  readonly nodes: readonly Node[];
}

const nothing: Service = { entries: [], nodes: [] };

/** Pause before a lost watch is opened anew: at first and at most. */
const retryMs = { first: 100, most: 5_000 };

/**
 * Who runs where, in memory and kept by a watch: looking up costs no waiting. While the registry can't be reached it answers what it last knew.
 */
export class RoutingView implements AsyncDisposable {
  readonly #driver: RegistryDriver;
  readonly #log: Log;
  readonly #closing = new AbortController();
  #domains = new Map<string, Map<string, Service>>();
  #running: Promise<void> = Promise.resolve();

  private constructor(driver: RegistryDriver, log: Log) {
    this.#driver = driver;
    this.#log = log;
  }

  /** Resolves when the view holds everything that is registered. Throws when the registry can't be read. */
  static async open(driver: RegistryDriver, log: Log): Promise<RoutingView> {
    const view = new RoutingView(driver, log);
    const events = await view.#load();
    view.#running = view.#follow(events);
    return view;
  }

  /** Versions of a service with live nodes, newest registration first; empty when there is none. */
  entries(domain: string, name: string): readonly ServiceEntry[] {
    return this.#service(domain, name).entries;
  }

  /** Nodes of all versions of a service; empty when there is none. The array stays the same until something changes. */
  nodes(domain: string, name: string): readonly Node[] {
    return this.#service(domain, name).nodes;
  }

  /** Names of the services of a domain, in no order. */
  names(domain: string): Iterable<string> {
    return this.#domains.get(domain)?.keys() ?? [];
  }

  #service(domain: string, name: string): Service {
    return this.#domains.get(domain)?.get(name) ?? nothing;
  }

  /** Watches first and lists then, so that no change falls between; an event the list already shows does no harm. */
  async #load(): Promise<AsyncIterable<RegistryEvent>> {
    const { signal } = this.#closing;
    const events = await this.#driver.watch(anyDomain, "", signal);
    const entries = await this.#driver.list(anyDomain, signal);
    this.#domains = new Map();
    for (const entry of entries) this.#put(entry.metadata["domain"] ?? "", entry, "update");
    return events;
  }

  async #follow(first: AsyncIterable<RegistryEvent>): Promise<void> {
    let events: AsyncIterable<RegistryEvent> | undefined = first;
    for (let pauseMs = retryMs.first; !this.#closing.signal.aborted; pauseMs = Math.min(retryMs.most, pauseMs * 2)) {
      try {
        events ??= await this.#load();
        for await (const { domain, service, action } of events) {
          this.#put(domain, service, action);
          pauseMs = retryMs.first;
        }
        if (!this.#closing.signal.aborted) throw MicroError.unavailable("registry", "the watch ended");
      } catch (error) {
        if (this.#closing.signal.aborted) return;
        this.#log.warn("lost sight of the registry; looking again", { error, pauseMs });
      }
      events = undefined;
      await pause(pauseMs, this.#closing.signal);
    }
  }

  #put(domain: string, entry: ServiceEntry, action: RegistryEvent["action"]): void {
    const services = this.#domains.get(domain) ?? new Map<string, Service>();
    const others = (services.get(entry.name)?.entries ?? []).filter(({ version }) => version !== entry.version);
    const entries =
      action === "delete"
        ? others
        : action === "create"
          ? [entry, ...others]
          : inPlace(services.get(entry.name)?.entries ?? [], entry);
    if (entries.length === 0) services.delete(entry.name);
    else services.set(entry.name, { entries, nodes: entries.flatMap(({ nodes }) => nodes) });
    if (services.size === 0) this.#domains.delete(domain);
    else this.#domains.set(domain, services);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#running;
  }
}

function inPlace(entries: readonly ServiceEntry[], entry: ServiceEntry): ServiceEntry[] {
  const known = entries.some(({ version }) => version === entry.version);
  return known ? entries.map((other) => (other.version === entry.version ? entry : other)) : [...entries, entry];
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms).unref();
    signal.addEventListener("abort", done);
  });
}
