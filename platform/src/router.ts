import type { Route, Router } from "@microts/blocks/proxy";
import type { Node, RoutingView } from "@microts/blocks/registry";

/** Routes by the registry's in-memory view. */
export class RegistryRouter implements Router {
  readonly #view: RoutingView;
  /** By the view's array of nodes, which is another one after each change. */
  readonly #routes = new WeakMap<readonly Node[], readonly Route[]>();

  constructor(view: RoutingView) {
    this.#view = view;
  }

  routes(service: string, namespace: string): readonly Route[] {
    const nodes = this.#view.nodes(namespace, service);
    let routes = this.#routes.get(nodes);
    if (routes === undefined) {
      routes = nodes.map(({ address, metadata }) => ({ service, address, network: namespace, metric: 1, metadata }));
      this.#routes.set(nodes, routes);
    }
    return routes;
  }
}
