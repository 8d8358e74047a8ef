import { type RpcClient, type ServiceClient, serviceClient } from "@microts/core/rpc";
import { Network as NetworkService } from "@microts/proto/network";
import type { NetworkDriver, NetworkNode, NetworkRoute, RouteQuery } from "./driver.ts";

/** The network of a platform elsewhere, over its RPC service. */
export class RemoteNetwork implements NetworkDriver {
  readonly name = "remote";
  readonly #network: ServiceClient<(typeof NetworkService)["method"]>;

  constructor(rpc: RpcClient) {
    this.#network = serviceClient(NetworkService, rpc, "network");
  }

  async nodes(signal: AbortSignal): Promise<NetworkNode[]> {
    const { nodes } = await this.#network.nodes({}, { signal });
    return nodes.map(({ id, address, network, metadata }) => ({ id, address, network, metadata }));
  }

  async routes(query: RouteQuery, signal: AbortSignal): Promise<NetworkRoute[]> {
    const { routes } = await this.#network.routes({ query }, { signal });
    return routes.map(({ service, address, gateway, network, router, link, metric, metadata }) => ({
      service,
      address,
      gateway,
      network,
      router,
      link,
      metric: Number(metric),
      metadata,
    }));
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
