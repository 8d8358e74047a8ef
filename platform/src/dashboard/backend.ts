/** The account that is signed in, as the page shows it. */
export interface DashboardAccount {
  readonly id: string;
  readonly name: string;
  /** `user` or `service`. */
  readonly type: string;
  readonly scopes: readonly string[];
}

/**
 * What a login gives. The token never leaves the server: the browser holds only the random id of its session. The same object comes
 * back on every later call, for at most 12 hours; a backend whose tokens live shorter renews them by itself.
 */
export interface DashboardSession {
  readonly token: string;
  readonly account: DashboardAccount;
  readonly namespace: string;
}

/** A node of the registry's schema tree: a scalar, `[]T`, `map[K]V`, or a message whose fields are `values`. */
export interface DashboardValue {
  readonly name: string;
  readonly type: string;
  readonly values: readonly DashboardValue[];
}

export interface DashboardEndpoint {
  /** `Handler.Method`. */
  readonly name: string;
  readonly stream: boolean;
  readonly description?: string;
  /** null when the registry knows no schema, as for Go's streaming endpoints. */
  readonly request: DashboardValue | null;
  readonly response: DashboardValue | null;
  readonly metadata: Readonly<Record<string, string>>;
}

export interface DashboardNode {
  readonly id: string;
  readonly address: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** One version of a service; a service that runs in two versions is listed twice. */
export interface DashboardService {
  readonly name: string;
  readonly version: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly nodes: readonly DashboardNode[];
  readonly endpoints: readonly DashboardEndpoint[];
}

export interface DashboardCall {
  /** Whether the endpoint streams its replies. One that doesn't yields exactly one. */
  readonly stream: boolean;
  /** Each reply as JSON. Ends or throws soon after the call's signal aborts. */
  readonly replies: AsyncIterable<Uint8Array>;
}

/** What the dashboard's server asks of the platform. Arguments are checked for shape and size; failures are MicroErrors. */
export interface DashboardBackend {
  /** Throws 401 for a wrong id or password. */
  login(id: string, password: string, signal: AbortSignal): Promise<DashboardSession>;

  /** The services of the session's namespace. Throws 401 when the session's account is no longer valid, which signs it out. */
  services(session: DashboardSession, signal: AbortSignal): Promise<readonly DashboardService[]>;

  /** Calls an endpoint as the session's account with a JSON request of at most 4 MiB. Errors are those of the called service. */
  call(
    session: DashboardSession,
    service: string,
    endpoint: string,
    request: Uint8Array,
    signal: AbortSignal,
  ): Promise<DashboardCall>;
}
