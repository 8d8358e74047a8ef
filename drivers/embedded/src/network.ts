import type { NetworkDriver, NetworkNode, NetworkRoute, RouteQuery } from "@microts/blocks/network";
import { anyDomain, type RegistryDriver } from "@microts/blocks/registry";

/** A network of one server: the routes are what its registry holds. */
export class EmbeddedNetwork implements NetworkDriver {
  readonly name = "embedded";
  readonly #registry: RegistryDriver;
  readonly #self: NetworkNode;

  constructor(registry: RegistryDriver, self: NetworkNode) {
    this.#registry = registry;
    this.#self = self;
  }

  async nodes(): Promise<NetworkNode[]> {
    return [this.#self];
  }

  async routes(query: RouteQuery, signal: AbortSignal): Promise<NetworkRoute[]> {
    const services = await this.#registry.list(query.network === "" ? anyDomain : query.network, signal);
    const routes = services.flatMap((service) =>
      service.nodes.map((node) => ({
        service: service.name,
        address: node.address,
        gateway: "",
        network: service.metadata["domain"] ?? query.network,
        router: this.#self.id,
        link: "local",
        metric: 1,
        metadata: node.metadata,
      })),
    );
    const matches = (wanted: string, value: string) => wanted === "" || wanted === value;
    return routes
      .filter(
        ({ service, address, gateway, router }) =>
          matches(query.service, service) &&
          matches(query.address, address) &&
          matches(query.gateway, gateway) &&
          matches(query.router, router),
      )
      .sort((a, b) => compare(a.service, b.service) || a.metric - b.metric || compare(a.address, b.address));
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
