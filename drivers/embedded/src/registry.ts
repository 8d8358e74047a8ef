import {
  anyDomain,
  type Node,
  type RegistryDriver,
  type RegistryEvent,
  type ServiceEntry,
} from "@microts/blocks/registry";
import { MicroError } from "@microts/core";
import { MessageQueue } from "./message-queue.ts";

export interface EmbeddedRegistryOptions {
  /** How often nodes whose lease has run out are removed. Default 1 s. */
  readonly sweepMs?: number | undefined;
}

interface Leased {
  readonly node: Node;
  /** On the monotonic clock, so that a change of the machine's time expires nobody. */
  readonly expiresAt: number;
}

interface Version {
  readonly domain: string;
  entry: Omit<ServiceEntry, "nodes">;
  readonly nodes: Map<string, Leased>;
}

interface Watcher {
  readonly domain: string;
  readonly name: string;
  readonly events: MessageQueue<RegistryEvent>;
}

/** A watcher that leaves so many changes unread is told to start over. */
const maxUnread = 10_000;
/** Keeps a tenant from filling the memory of all. */
const maxNodesOfDomain = 20_000;

/** Who runs where, in memory: after a restart services are there again with their next heartbeat. */
export class EmbeddedRegistry implements RegistryDriver {
  readonly name = "embedded";
  /** Domain, then service, then version; the last in order of their first registration. */
  readonly #domains = new Map<string, Map<string, Map<string, Version>>>();
  readonly #nodeCounts = new Map<string, number>();
  readonly #watchers = new Set<Watcher>();
  readonly #closing = new AbortController();
  readonly #timer: NodeJS.Timeout;

  constructor({ sweepMs = 1_000 }: EmbeddedRegistryOptions = {}) {
    this.#timer = setInterval(() => this.#sweep(), sweepMs).unref();
  }

  async register(domain: string, service: ServiceEntry, ttlMs: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { nodes, ...entry } = service;
    const versions = this.#domains.get(domain)?.get(service.name);
    const known = versions?.get(service.version);
    const version = known ?? { domain, entry, nodes: new Map<string, Leased>() };
    const before = known && snapshot(known);
    this.#count(domain, nodes.filter(({ id }) => !version.nodes.has(id)).length);
    const expiresAt = ttlMs === 0 ? Number.POSITIVE_INFINITY : performance.now() + ttlMs;
    for (const node of nodes) version.nodes.set(node.id, { node, expiresAt });
    version.entry = entry;
    if (before === undefined) {
      this.#add(version);
      this.#emit("create", version);
    } else if (JSON.stringify(before) !== JSON.stringify(snapshot(version))) {
      this.#emit("update", version);
    }
  }

  async deregister(domain: string, service: ServiceEntry, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const version = this.#domains.get(domain)?.get(service.name)?.get(service.version);
    if (version === undefined) return;
    const ids = service.nodes.map(({ id }) => id).filter((id) => version.nodes.has(id));
    this.#remove(version, ids);
  }

  async get(domain: string, name: string, signal: AbortSignal): Promise<ServiceEntry[]> {
    signal.throwIfAborted();
    const domains = domain === anyDomain ? [...this.#domains.values()] : [this.#domains.get(domain)];
    return domains.flatMap((services) => [...(services?.get(name)?.values() ?? [])].reverse()).map(snapshot);
  }

  async list(domain: string, signal: AbortSignal): Promise<ServiceEntry[]> {
    signal.throwIfAborted();
    const domains = domain === anyDomain ? [...this.#domains.values()] : [this.#domains.get(domain)];
    return domains
      .flatMap((services) => [...(services?.values() ?? [])])
      .flatMap((versions) => [...versions.values()])
      .map(snapshot)
      .sort((a, b) => compare(a.name, b.name) || compare(a.version, b.version));
  }

  async watch(domain: string, name: string, signal: AbortSignal): Promise<AsyncIterable<RegistryEvent>> {
    signal.throwIfAborted();
    if (this.#closing.signal.aborted) throw MicroError.unavailable("registry", "the registry is closed");
    const events: MessageQueue<RegistryEvent> = new MessageQueue<RegistryEvent>({
      maxItems: maxUnread,
      overflow: {
        error: () =>
          MicroError.unavailable(
            "registry.Registry.Watch",
            `more than ${maxUnread} changes were left unread: list the services again and watch from there`,
          ),
      },
      signal: AbortSignal.any([signal, this.#closing.signal]),
      onEnd: () => this.#watchers.delete(watcher),
    });
    const watcher = { domain, name, events };
    this.#watchers.add(watcher);
    return events;
  }

  #add(version: Version): void {
    const services = this.#domains.get(version.domain) ?? new Map<string, Map<string, Version>>();
    const versions = services.get(version.entry.name) ?? new Map<string, Version>();
    versions.set(version.entry.version, version);
    services.set(version.entry.name, versions);
    this.#domains.set(version.domain, services);
  }

  #remove(version: Version, ids: readonly string[]): void {
    if (ids.length === 0) return;
    const before = snapshot(version);
    for (const id of ids) version.nodes.delete(id);
    this.#count(version.domain, -ids.length);
    if (version.nodes.size > 0) {
      this.#emit("update", version);
      return;
    }
    const services = this.#domains.get(version.domain);
    const versions = services?.get(version.entry.name);
    versions?.delete(version.entry.version);
    if (versions?.size === 0) services?.delete(version.entry.name);
    if (services?.size === 0) this.#domains.delete(version.domain);
    this.#emit("delete", version, before);
  }

  #count(domain: string, more: number): void {
    const count = (this.#nodeCounts.get(domain) ?? 0) + more;
    if (more > 0 && count > maxNodesOfDomain) {
      throw new MicroError(
        429,
        "registry.Registry.Register",
        `domain "${domain}" has ${maxNodesOfDomain} nodes, which is the limit: stop some first`,
      );
    }
    if (count === 0) this.#nodeCounts.delete(domain);
    else this.#nodeCounts.set(domain, count);
  }

  #emit(action: RegistryEvent["action"], version: Version, service = snapshot(version)): void {
    const { domain } = version;
    const event = { action, domain, service, at: new Date() };
    for (const watcher of this.#watchers) {
      const wanted =
        (watcher.domain === domain || watcher.domain === anyDomain) &&
        (watcher.name === "" || watcher.name === service.name);
      if (wanted) watcher.events.push(event);
    }
  }

  #sweep(): void {
    const now = performance.now();
    const versions = [...this.#domains.values()]
      .flatMap((services) => [...services.values()])
      .flatMap((services) => [...services.values()]);
    for (const version of versions) {
      const expired = [...version.nodes.values()]
        .filter(({ expiresAt }) => expiresAt <= now)
        .map(({ node }) => node.id);
      this.#remove(version, expired);
    }
  }

  /** Ends all watches and forgets everything. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.#closing.abort();
    this.#domains.clear();
  }
}

function snapshot({ entry, nodes }: Version): ServiceEntry {
  return { ...entry, nodes: [...nodes.values()].map(({ node }) => node) };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
