import { MicroError } from "@microts/core";
import type { NetworkDriver, NetworkNode, NetworkRoute, RouteQuery } from "./driver.ts";

const never = new AbortController().signal;

/** Who is in the network and which ways lead to its services. */
export class Network {
  readonly #driver: NetworkDriver;

  constructor(driver: NetworkDriver) {
    this.#driver = driver;
  }

  /** This server first. */
  nodes(signal: AbortSignal = never): Promise<NetworkNode[]> {
    return this.#call("Nodes", () => this.#driver.nodes(signal));
  }

  /** Routes that match every field given. `network` is a tenant's namespace, `*` for all; 400 without one. */
  routes(
    query: Partial<RouteQuery> & Pick<RouteQuery, "network">,
    signal: AbortSignal = never,
  ): Promise<NetworkRoute[]> {
    const { service = "", address = "", gateway = "", router = "", network } = query;
    if (network === "")
      throw MicroError.badRequest(
        "network.Network.Routes",
        "the query needs a network: the namespace whose routes are wanted, or * for all",
      );
    return this.#call("Routes", () => this.#driver.routes({ service, address, gateway, router, network }, signal));
  }

  /** Names of all services of a namespace, sorted, each once. */
  async services(network: string, signal: AbortSignal = never): Promise<string[]> {
    const routes = await this.routes({ network }, signal);
    return [...new Set(routes.map(({ service }) => service))].sort();
  }

  async #call<T>(rpc: string, run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      throw MicroError.from(error, `network.Network.${rpc}`);
    }
  }
}
