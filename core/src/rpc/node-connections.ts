import { connect, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket, type ConnectionOptions as TlsOptions } from "node:tls";
import { type Address, parseAddress } from "./address.ts";
import { ClientConnection } from "./http2/client-connection.ts";
import type { ConnectionOptions } from "./http2/connection.ts";
import { ErrorCode } from "./http2/protocol.ts";
import type { StreamClose } from "./http2/stream.ts";
import type { Outgoing, StreamSource } from "./outgoing.ts";

export interface NodeOptions extends ConnectionOptions {
  readonly tls: Pick<TlsOptions, "ca" | "cert" | "key" | "servername" | "rejectUnauthorized"> | undefined;
  /** Connections to one node at once; they grow only when the streams of those there run out. */
  readonly maxConnections: number;
  readonly connectTimeoutMs: number;
  /** A connection without calls is closed after so long. */
  readonly idleMs: number;
  /** The first wait after a connection failed; it grows by 1.6 up to `maxBackoffMs`, give or take a fifth (gRPC connection-backoff.md). */
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
  /** Nothing is left to keep of the node. */
  onIdle(): void;
}

/** The connections to one address, and the calls that wait for one. */
export class NodeConnections implements StreamSource {
  readonly authority: string;
  readonly isTls: boolean;
  readonly #address: string;
  readonly #options: NodeOptions;
  readonly #where: Address | { path: string };
  readonly #connections: ClientConnection[] = [];
  readonly #waiting = new Set<Outgoing>();
  #connecting: Socket | undefined;
  #failures = 0;
  #failure: StreamClose | undefined;
  #retryAtMs = 0;
  #retry: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** Throws 400 for a malformed address. */
  constructor(address: string, options: NodeOptions) {
    this.#address = address;
    this.#options = options;
    const path = /^unix:(.+)$/.exec(address)?.[1];
    this.#where = path === undefined ? parseAddress(address) : { path };
    this.isTls = "tls" in this.#where && this.#where.tls;
    this.authority = path === undefined ? address.replace(/^https?:\/\//, "").replace(/^:/, "localhost:") : "localhost";
  }

  open(call: Outgoing): void {
    const connection = this.#withRoom();
    if (connection !== undefined) {
      this.#attach(call, connection);
      return;
    }
    this.#waiting.add(call);
    this.#grow();
  }

  #attach(call: Outgoing, connection: ClientConnection): void {
    // A call in progress keeps the process alive; an idle connection doesn't.
    if (connection.streams.size === 0) connection.socket.ref();
    call.attach(connection);
  }

  #withRoom(): ClientConnection | undefined {
    for (const connection of this.#connections) if (connection.room > 0) return connection;
    return undefined;
  }

  forget(call: Outgoing): void {
    this.#waiting.delete(call);
    this.#rest();
  }

  #grow(): void {
    const open = this.#connections.reduce((count, { isDraining }) => (isDraining ? count : count + 1), 0);
    if (this.#isClosed || this.#connecting !== undefined || open >= this.#options.maxConnections) return;
    const inMs = this.#retryAtMs - Date.now();
    if (inMs <= 0) this.#connect();
    else {
      this.#failWaiting();
      this.#retryLater(inMs);
    }
  }

  #retryLater(inMs: number): void {
    if (this.#waiting.size === 0 || this.#retry !== undefined) return;
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      if (this.#waiting.size > 0) this.#grow();
    }, inMs);
  }

  #connect(): void {
    const { tls, connectTimeoutMs } = this.#options;
    const socket = this.isTls
      ? connectTls({ ...(this.#where as Address), ...tls, ALPNProtocols: ["h2"], servername: this.#servername() })
      : connect(this.#where);
    this.#connecting = socket;
    const timer = setTimeout(
      () => socket.destroy(new Error(`no connection within ${connectTimeoutMs} ms`)),
      connectTimeoutMs,
    );
    const failed = (error?: Error) => {
      clearTimeout(timer);
      this.#failed(error);
    };
    const closed = () => failed();
    socket.once("error", failed);
    socket.once("close", closed);
    socket.once(this.isTls ? "secureConnect" : "connect", () => {
      clearTimeout(timer);
      socket.off("error", failed);
      socket.off("close", closed);
      this.#connected(socket);
    });
  }

  #servername(): string {
    const { host } = this.#where as Address;
    // A server name is never an address (RFC 6066 §3).
    return this.#options.tls?.servername ?? (/^[\d.]+$|:/.test(host) ? "" : host);
  }

  #connected(socket: Socket): void {
    this.#connecting = undefined;
    if (this.#isClosed) {
      socket.destroy();
      return;
    }
    if (this.isTls && (socket as TLSSocket).alpnProtocol !== "h2") {
      socket.on("error", () => {});
      socket.destroy();
      this.#failed(new Error("the server doesn't offer HTTP/2 over TLS (ALPN h2)"));
      return;
    }
    const connection = new ClientConnection(socket, {
      ...this.#options,
      onRoom: (of) => this.#onRoom(of),
      onLost: (of, message) => this.#onLost(of, message),
    });
    this.#connections.push(connection);
    socket.on("data", (chunk: Buffer) => connection.receive(chunk));
    connection.output.open();
    if (this.#waiting.size === 0) socket.unref();
    this.#onRoom(connection);
  }

  #failed(error: Error | undefined): void {
    if (this.#connecting === undefined && error === undefined) return;
    this.#connecting = undefined;
    const { backoffMs, maxBackoffMs } = this.#options;
    const jitter = 0.8 + Math.random() * 0.4;
    this.#retryAtMs = Date.now() + Math.min(maxBackoffMs, backoffMs * 1.6 ** this.#failures) * jitter;
    this.#failures++;
    this.#failure = lost(connectFailure(this.#address, error));
    this.#failWaiting();
    this.#retryLater(this.#retryAtMs - Date.now());
    this.#rest();
  }

  /** Ends the calls that don't wait for better times. */
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

  #onRoom(connection: ClientConnection): void {
    if (connection.isReady) this.#failures = 0;
    for (const call of this.#waiting) {
      if (connection.room <= 0) break;
      this.#waiting.delete(call);
      this.#attach(call, connection);
    }
    if (this.#waiting.size > 0) this.#grow();
    if (connection.streams.size === 0 && !connection.isClosed) connection.socket.unref();
  }

  #onLost(connection: ClientConnection, message: string): void {
    const at = this.#connections.indexOf(connection);
    if (at >= 0) this.#connections.splice(at, 1);
    // A server that closes before it has said a word isn't one of ours: don't hammer it.
    if (!connection.isReady) this.#failed(new Error(message));
    else if (this.#waiting.size > 0) this.#grow();
    this.#rest();
  }

  #rest(): void {
    if (this.#waiting.size > 0) return;
    clearTimeout(this.#retry);
    this.#retry = undefined;
    if (this.#connections.length === 0 && this.#connecting === undefined && Date.now() >= this.#retryAtMs)
      this.#options.onIdle();
  }

  close(): void {
    this.#isClosed = true;
    this.#connecting?.destroy();
    clearTimeout(this.#retry);
    for (const connection of [...this.#connections]) connection.destroy("the client was closed");
    for (const call of this.#waiting) call.failed(lost("the client was closed"));
    this.#waiting.clear();
  }
}

function lost(message: string): StreamClose {
  return { code: ErrorCode.connectError, message, isRemote: true, isConnectionLost: true, isUnprocessed: false };
}

function connectFailure(address: string, error: Error | undefined): string {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return code === "ECONNREFUSED" || code === "ENOENT"
    ? `nothing listens on ${address} (connection refused)`
    : `can't connect to ${address}: ${error?.message || code || "the connection was closed"}`;
}
