/** The shape of a message: `type` is string, bool, int32, int64, uint32, uint64, float32, float64, `[]T`, `[]uint8`, `map[K]V` or a message's name, whose fields are in `values` (wire §6). */
export interface Value {
  readonly name: string;
  readonly type: string;
  readonly values: readonly Value[];
}

export interface Endpoint {
  /** `Handler.Method`. */
  readonly name: string;
  readonly request: Value | undefined;
  readonly response: Value | undefined;
  /** `stream: "true"` on streaming endpoints; `topic` and `subscriber` on subscribers; `description` for people. */
  readonly metadata: Readonly<Record<string, string>>;
}

export interface Node {
  /** `<service>-<uuid>`. */
  readonly id: string;
  /** `host:port`. */
  readonly address: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** One version of a service and the nodes that run it. */
export interface ServiceEntry {
  readonly name: string;
  readonly version: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly endpoints: readonly Endpoint[];
  readonly nodes: readonly Node[];
}

export interface RegistryEvent {
  /** create: first node of a version; update: anything else that changed, `service` being the whole version as it is now; delete: its last node went, and `service` is as it was. */
  readonly action: "create" | "update" | "delete";
  readonly domain: string;
  readonly service: ServiceEntry;
  readonly at: Date;
}

/** Matches every domain in `get`, `list` and `watch`. */
export const anyDomain = "*";

/** What a backend must do to know who runs where. `Registry` has already validated every argument. A domain is a tenant's namespace. */
export interface RegistryDriver extends AsyncDisposable {
  readonly name: string;

  /**
   * Adds the nodes of `service` or renews their lease, and takes its endpoints and metadata as the newest. A node not renewed within `ttlMs`
   * is removed; 0 never expires.
   */
  register(domain: string, service: ServiceEntry, ttlMs: number, signal: AbortSignal): Promise<void>;

  /** Removes the nodes named in `service`, by id; the version goes with its last node. What is not there is not an error. */
  deregister(domain: string, service: ServiceEntry, signal: AbortSignal): Promise<void>;

  /** Every version of the service with live nodes, newest registration first; empty when there is none. */
  get(domain: string, name: string, signal: AbortSignal): Promise<ServiceEntry[]>;

  /** Every service and version in the domain, or in all (`metadata.domain` says which), by name then version. */
  list(domain: string, signal: AbortSignal): Promise<ServiceEntry[]>;

  /** Changes from now on, of one service or (name "") of all, in order, until the signal aborts. The iterable is live once its promise resolves. */
  watch(domain: string, name: string, signal: AbortSignal): Promise<AsyncIterable<RegistryEvent>>;
}
