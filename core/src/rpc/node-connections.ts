import { Backoff } from "./backoff.ts";
import { type ClientTls, ConnectAttempt } from "./connect-attempt.ts";
import type { ClientConnection } from "./http2/client-connection.ts";
import type { ConnectionOptions } from "./http2/connection.ts";
import { ErrorCode } from "./http2/protocol.ts";
import type { StreamClose } from "./http2/stream.ts";
import type { Outgoing, StreamSource } from "./outgoing.ts";
import { type Target, targetOf } from "./target.ts";

export interface NodeOptions extends ConnectionOptions {
  readonly tls: ClientTls | undefined;
  /** Connections to one node at once; they grow only when the streams of those there run out. */
  readonly maxConnections: number;
  readonly connectTimeoutMs: number;
  /** A connection without calls is closed after so long. */
  readonly idleMs: number;
  /** The first wait after a connection failed, and the longest. */
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
  /** Connects: there is something to close from now on. */
  onUsed(node: NodeConnections): void;
  /** Nothing is left to keep of the node. */
  onIdle(node: NodeConnections): void;
}

/** A connection that was used for so long was a good one, also when nobody called. */
const provenMs = 1000;

/**
 * The connections to one address, and the calls that wait for one. There is one, and another only when a call finds no stream free on those
 * that are there; one that nobody uses any longer closes.
 */
export class NodeConnections implements StreamSource {
  readonly #target: Target;
  readonly #options: NodeOptions;
  /** Those that are ready, and those that finish their calls. */
  readonly #connections: ClientConnection[] = [];
  readonly #waiting = new Set<Outgoing>();
  readonly #backoff: Backoff;
  #attempt: ConnectAttempt | undefined;
  /** Why calls that don't wait for better times fail now. */
  #failure: StreamClose | undefined;
  /** The connection that became ready last, until it is known whether the server meant it. */
  #newest: { readonly connection: ClientConnection; readonly sinceMs: number } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;
  /** Doubled each time that the server finds itself asked too often (gRPC A8). */
  #keepaliveAfterMs: number;

  /** Throws 400 for a malformed address. */
  constructor(address: string, options: NodeOptions) {
    this.#target = targetOf(address);
    this.#options = options;
    this.#backoff = new Backoff(options.backoffMs, options.maxBackoffMs);
    this.#keepaliveAfterMs = options.keepalive.afterMs;
  }

  get authority(): string {
    return this.#target.authority;
  }

  get isTls(): boolean {
    return this.#target.isTls;
  }

  /** Something was learnt about the server that later connections have to know. */
  get isTaught(): boolean {
    return this.#keepaliveAfterMs !== this.#options.keepalive.afterMs;
  }

  open(call: Outgoing): void {
    const connection = this.#withRoom();
    if (connection !== undefined) this.#attach(call, connection);
    else if (this.#isClosed) call.failed(clientClosed);
    else {
      this.#waiting.add(call);
      this.#attempt?.keepAlive(true);
      this.#grow();
    }
  }

  #withRoom(): ClientConnection | undefined {
    for (const connection of this.#connections) if (connection.room > 0) return connection;
    return undefined;
  }

  #attach(call: Outgoing, connection: ClientConnection): void {
    call.attach(connection);
    // A call in progress keeps the process alive; an idle connection doesn't.
    if (connection.streams.size === 1) connection.socket.ref();
  }

  forget(call: Outgoing): void {
    this.#waiting.delete(call);
    this.#rest();
  }

  #grow(): void {
    if (this.#isClosed || this.#attempt !== undefined) return;
    this.#judgeNewest();
    const open = this.#connections.reduce((count, { isDraining }) => (isDraining ? count : count + 1), 0);
    if (open >= this.#options.maxConnections) return;
    if (this.#backoff.leftMs > 0) {
      this.#failWaiting();
      this.#wakeLater();
    } else this.#connect();
  }

  /** A server that sends connections away before they were of use is left alone for a while, like one that takes none. */
  #judgeNewest(): void {
    const newest = this.#newest;
    if (newest === undefined) return;
    const isProven = newest.connection.hasAnswered || Date.now() - newest.sinceMs >= provenMs;
    if (!isProven && !newest.connection.isDraining) return;
    this.#newest = undefined;
    if (isProven) this.#backoff.reset();
    else this.#backoff.failed();
  }

  #connect(): void {
    this.#options.onUsed(this);
    this.#attempt = new ConnectAttempt(this.#target, {
      ...this.#options,
      keepalive: { ...this.#options.keepalive, afterMs: this.#keepaliveAfterMs },
      onTooManyPings: () => {
        this.#keepaliveAfterMs *= 2;
      },
      onReady: (connection) => this.#onReady(connection),
      onFailed: (message) => this.#onFailed(message),
      onRoom: (connection) => this.#onRoom(connection),
      onLost: (connection) => this.#onLost(connection),
    });
  }

  #onReady(connection: ClientConnection): void {
    this.#attempt = undefined;
    this.#failure = undefined;
    this.#newest = { connection, sinceMs: Date.now() };
    this.#connections.push(connection);
    this.#onRoom(connection);
  }

  #onFailed(message: string): void {
    this.#attempt = undefined;
    this.#judgeNewest();
    this.#backoff.failed();
    this.#failure = lost(message);
    this.#failWaiting();
    this.#wakeLater();
  }

  /** Ends the calls that don't wait for better times (gRPC wait-for-ready.md). */
  #failWaiting(): void {
    const failure = this.#failure;
    if (failure === undefined) return;
    // A call that fails for lack of a further connection still has those that are there.
    if (this.#connections.some(({ isDraining }) => !isDraining)) return;
    for (const call of this.#waiting) {
      if (call.waitForReady) continue;
      this.#waiting.delete(call);
      call.failed(failure);
    }
  }

  /** After the wait: connects for the calls that still want it, or lets go of the node. */
  #wakeLater(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      if (this.#waiting.size > 0) this.#grow();
      else this.#rest();
    }, this.#backoff.leftMs);
    if (this.#waiting.size > 0) this.#timer.ref();
    else this.#timer.unref();
  }

  #onRoom(connection: ClientConnection): void {
    if (this.#waiting.size > 0) this.#takeWaiting(connection);
    if (connection.streams.size === 0 && !connection.isClosed) connection.socket.unref();
  }

  #takeWaiting(connection: ClientConnection): void {
    for (const call of this.#waiting) {
      if (connection.room <= 0) break;
      this.#waiting.delete(call);
      this.#attach(call, connection);
    }
    if (this.#waiting.size > 0) this.#grow();
  }

  #onLost(connection: ClientConnection): void {
    const at = this.#connections.indexOf(connection);
    if (at >= 0) this.#connections.splice(at, 1);
    this.#judgeNewest();
    if (this.#waiting.size > 0) this.#grow();
    this.#rest();
  }

  /** Lets the process end, and goes when there is nothing left. */
  #rest(): void {
    if (this.#waiting.size > 0) return;
    this.#timer?.unref();
    this.#attempt?.keepAlive(false);
    if (this.#connections.length > 0 || this.#attempt !== undefined) return;
    if (this.#backoff.leftMs > 0) this.#wakeLater();
    else this.#options.onIdle(this);
  }

  close(): void {
    this.#isClosed = true;
    this.#attempt?.cancel();
    this.#attempt = undefined;
    clearTimeout(this.#timer);
    for (const connection of [...this.#connections]) connection.destroy(clientClosed.message);
    for (const call of this.#waiting) call.failed(clientClosed);
    this.#waiting.clear();
  }
}

function lost(message: string): StreamClose {
  return { code: ErrorCode.connectError, message, isRemote: true, isConnectionLost: true, isUnprocessed: false };
}

const clientClosed = lost("the client was closed");
