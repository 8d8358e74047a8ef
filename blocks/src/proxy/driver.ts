import type { Metadata } from "@microts/core";

/** One node a call may go to. */
export interface Route {
  readonly service: string;
  /** `host:port`. */
  readonly address: string;
  readonly network: string;
  readonly metric: number;
  readonly metadata: Metadata;
}

/** The part of a proxy that varies: where a service of a namespace is answered. */
export interface Router {
  /** Nodes in the order to try; empty when there is none. */
  routes(service: string, namespace: string): readonly Route[];
}
