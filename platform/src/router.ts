import type { Route, Router } from "@microts/blocks/proxy";
import type { RoutingView } from "@microts/blocks/registry";

/** Routes by the registry's in-memory view. */
export class RegistryRouter implements Router {
  readonly #view: RoutingView;

  constructor(view: RoutingView) {
    this.#view = view;
  }

  routes(service: string, namespace: string): readonly Route[] {
    const nodes = this.#view.nodes(namespace, service);
    return nodes.map(({ address, metadata }) => ({ service, address, network: namespace, metric: 1, metadata }));
  }
}
