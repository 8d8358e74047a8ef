/** One server of the network. */
export interface NetworkNode {
  readonly id: string;
  /** `host:port` where its services are reached. */
  readonly address: string;
  readonly network: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** One way to a service. */
export interface NetworkRoute {
  readonly service: string;
  /** `host:port` of a node of the service. */
  readonly address: string;
  /** Server to go through; "" for none. */
  readonly gateway: string;
  /** The tenant the service belongs to. */
  readonly network: string;
  /** Id of the server that announced it. */
  readonly router: string;
  readonly link: string;
  /** Lower is nearer; 1 is this machine. */
  readonly metric: number;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Narrows routes; "" in a field matches any. */
export interface RouteQuery {
  readonly service: string;
  readonly address: string;
  readonly gateway: string;
  readonly router: string;
  /** A tenant's namespace, or `*` for all of them. */
  readonly network: string;
}

/** What a backend must do to know the network. `Network` has already validated every argument. */
export interface NetworkDriver extends AsyncDisposable {
  readonly name: string;

  /** This server first, then the servers it is connected to. */
  nodes(signal: AbortSignal): Promise<NetworkNode[]>;

  /** Every live route that matches, by service, then metric, then address. */
  routes(query: RouteQuery, signal: AbortSignal): Promise<NetworkRoute[]>;
}
