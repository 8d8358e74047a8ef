import type { Route, Router } from "@microts/blocks/proxy";
import type { RoutingView } from "@microts/blocks/registry";
import { MicroError } from "@microts/core";

/** Routes by the registry's in-memory view. */
export class RegistryRouter implements Router {
  readonly #view: RoutingView;

  constructor(view: RoutingView) {
    this.#view = view;
  }

  routes(service: string, namespace: string): readonly Route[] {
    const nodes = this.#view.nodes(namespace, service);
    if (nodes.length === 0) {
      // The original's wording first: command lines match on it (wire §4).
      throw MicroError.notFound(
        "go.micro.proxy",
        `service ${service}: route not found in namespace "${namespace}". See what runs with: micro services`,
      );
    }
    return nodes.map(({ address, metadata }) => ({ service, address, network: namespace, metric: 1, metadata }));
  }
}
