import { requestFields } from "./call-fields.ts";
import { Http2ClientCall } from "./client-call.ts";
import type { ClientTls } from "./connect-attempt.ts";
import { backoffDefaults, clientKeepalive, connectionsDefaults } from "./defaults.ts";
import type { KeepaliveOptions } from "./http2/keepalive.ts";
import { defaultLimits, type Limits } from "./http2/limits.ts";
import { NodeConnections, type NodeOptions } from "./node-connections.ts";
import type { CallStart, ClientCall, Status } from "./transport.ts";
import { UnaryCall } from "./unary-call.ts";

export interface ConnectionsOptions {
  /** Largest message either way. Default 32 MiB. */
  readonly maxMessageBytes?: number;
  /** For addresses with TLS, as for `tls.connect`. */
  readonly tls?: ClientTls;
  readonly limits?: Partial<Limits>;
  /** Default: a PING after 5 min of silence while calls are open, the server is gone when 20 s later nothing has come. */
  readonly keepalive?: Partial<KeepaliveOptions>;
  /** Connections to one node at once, opened only when the server takes no more calls on those there. Default 8. */
  readonly maxConnectionsPerNode?: number;
  /** Until the server has sent its SETTINGS. Default 5 s. */
  readonly connectTimeoutMs?: number;
  /** A connection without calls is closed after so long, to the second. Default 5 min. */
  readonly idleMs?: number;
}

/** The connections of a client: one for each node, opened at the first call, again after it broke, and more when its streams run out. */
export class Connections implements AsyncDisposable {
  readonly maxMessageBytes: number;
  readonly #options: Omit<NodeOptions, "onUsed" | "onIdle">;
  readonly #nodes = new Map<string, NodeConnections>();
  /** Those with something to close. */
  readonly #used = new Set<NodeConnections>();
  #isClosed = false;
  /** The node used last: most clients call one many times. */
  #last: { address: string; node: NodeConnections } | undefined;

  constructor(options: ConnectionsOptions = {}) {
    this.maxMessageBytes = options.maxMessageBytes ?? connectionsDefaults.maxMessageBytes;
    this.#options = {
      limits: { ...defaultLimits, ...options.limits },
      keepalive: { ...clientKeepalive, ...options.keepalive },
      tls: options.tls,
      maxConnections: options.maxConnectionsPerNode ?? connectionsDefaults.maxConnectionsPerNode,
      connectTimeoutMs: options.connectTimeoutMs ?? connectionsDefaults.connectTimeoutMs,
      idleMs: options.idleMs ?? connectionsDefaults.idleMs,
      ...backoffDefaults,
    };
  }

  /** Starts a call. Failing to connect shows as the call's status (14, Unavailable); a malformed address and metadata that can't be sent throw 400. */
  open(address: string, start: CallStart, signal: AbortSignal | undefined): ClientCall {
    const node = this.node(address);
    const fields = requestFields(start, node.authority, node.isTls);
    return new Http2ClientCall(node, fields, address, start, signal, this.maxMessageBytes);
  }

  /** A unary call in one step. Rejects with what `errorOf` makes of its status. Throws 400 like `open`. */
  unary(
    address: string,
    start: CallStart,
    request: Uint8Array,
    signal: AbortSignal | undefined,
    errorOf: (status: Status) => Error,
  ): Promise<Uint8Array> {
    const node = this.node(address);
    const fields = requestFields(start, node.authority, node.isTls);
    return new UnaryCall(node, fields, address, start, signal, this.maxMessageBytes, errorOf).run(request);
  }

  /** The connections to one address; throws 400 when it is malformed. */
  node(address: string): NodeConnections {
    if (this.#last?.address === address) return this.#last.node;
    let node = this.#nodes.get(address);
    if (node === undefined) {
      node = new NodeConnections(address, {
        ...this.#options,
        onUsed: (used) => this.#used.add(used),
        onIdle: (idle) => this.#forget(address, idle),
      });
      if (this.#isClosed) {
        node.close();
        return node;
      }
      this.#nodes.set(address, node);
    }
    this.#last = { address, node };
    return node;
  }

  #forget(address: string, node: NodeConnections): void {
    this.#used.delete(node);
    if (node.isTaught) return;
    if (this.#nodes.get(address) === node) this.#nodes.delete(address);
    if (this.#last?.node === node) this.#last = undefined;
  }

  /** Cuts all connections and fails their calls, and those still to come. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    for (const node of [...this.#nodes.values(), ...this.#used]) node.close();
    this.#nodes.clear();
    this.#used.clear();
    this.#last = undefined;
  }
}
