import { connect, type Socket } from "node:net";
import type { TLSSocket, ConnectionOptions as TlsOptions } from "node:tls";
import type { Address } from "./address.ts";
import { connectFailure, noHttp2 } from "./connect-failure.ts";
import { ClientConnection, type ClientConnectionOptions } from "./http2/client-connection.ts";
import { closedWithoutReason } from "./http2/connection.ts";
import type { Target } from "./target.ts";

/** What a client shows and asks for over TLS, as for `tls.connect`. */
export type ClientTls = Pick<TlsOptions, "ca" | "cert" | "key" | "servername" | "rejectUnauthorized">;

export interface AttemptOptions extends ClientConnectionOptions {
  readonly tls: ClientTls | undefined;
  readonly connectTimeoutMs: number;
  /** The connection can be used: the server has sent its SETTINGS. */
  onReady(connection: ClientConnection): void;
  /** Told instead of `onReady`, and only once. */
  onFailed(message: string): void;
}

/**
 * One attempt to connect, up to the server's SETTINGS: no call is sent before they are there, so none is lost to something that isn't a
 * server or is about to go, and all its limits hold for the first call as well. A name with several addresses is tried with each, IPv6 and
 * IPv4 in turn (RFC 8305, by `net.connect`).
 */
export class ConnectAttempt {
  readonly #target: Target;
  readonly #options: AttemptOptions;
  readonly #socket: Socket;
  readonly #timer: NodeJS.Timeout;
  #connection: ClientConnection | undefined;
  #state: "trying" | "ready" | "over" = "trying";

  constructor(target: Target, options: AttemptOptions) {
    this.#target = target;
    this.#options = options;
    const { tls, connectTimeoutMs } = options;
    const { where, isTls } = target;
    // Loaded when it's needed: most targets speak clear text, and it takes 30 ms.
    const socket = isTls
      ? process.getBuiltinModule("node:tls").connect({
          ...(where as Address),
          ...tls,
          ALPNProtocols: ["h2"],
          servername: servername(where as Address, tls),
        })
      : connect(where);
    this.#socket = socket;
    this.#timer = setTimeout(() => this.#late(), connectTimeoutMs).unref();
    socket.on("error", this.#onError);
    socket.on("close", this.#onClose);
    socket.once(isTls ? "secureConnect" : "connect", () => this.#connected());
  }

  readonly #onError = (error: Error) => this.#failed(connectFailure(this.#target, error));
  readonly #onClose = () => this.#failed(connectFailure(this.#target, undefined));

  /** Whether the attempt keeps the process alive; at first it does. */
  keepAlive(on: boolean): void {
    if (on) this.#socket.ref();
    else this.#socket.unref();
  }

  cancel(): void {
    this.#state = "over";
    clearTimeout(this.#timer);
    this.#socket.destroy();
  }

  #connected(): void {
    const socket = this.#socket;
    if (this.#state === "over") return;
    if (this.#target.isTls && (socket as TLSSocket).alpnProtocol !== "h2") {
      this.#failed(this.#text(noHttp2("it chose no protocol")));
      return;
    }
    const { onRoom, onLost } = this.#options;
    const connection = new ClientConnection(socket, {
      ...this.#options,
      onRoom: (of) => {
        if (this.#state === "trying") this.#ready(of);
        else onRoom(of);
      },
      onLost: (of, message, error) => {
        if (this.#state === "ready") onLost(of, message, error);
        else if (error === undefined && message !== closedWithoutReason) this.#failed(this.#text(message));
        else this.#failed(connectFailure(this.#target, error));
      },
    });
    this.#connection = connection;
    socket.off("error", this.#onError);
    socket.off("close", this.#onClose);
    socket.on("data", (chunk: Buffer) => connection.receive(chunk));
    connection.output.open();
  }

  #ready(connection: ClientConnection): void {
    this.#state = "ready";
    clearTimeout(this.#timer);
    this.#options.onReady(connection);
  }

  #late(): void {
    const { connectTimeoutMs } = this.#options;
    const missing = this.#connection === undefined ? "no connection" : "no HTTP/2 SETTINGS";
    this.#failed(this.#text(`${missing} within ${connectTimeoutMs} ms`));
  }

  #failed(message: string): void {
    if (this.#state !== "trying") return;
    this.cancel();
    this.#options.onFailed(message);
  }

  #text(reason: string): string {
    return `can't connect to ${this.#target.address}: ${reason}`;
  }
}

function servername({ host }: Address, tls: ClientTls | undefined): string {
  // A server name is never an address (RFC 6066 §3).
  return tls?.servername ?? (/^[\d.]+$|:/.test(host) ? "" : host);
}
