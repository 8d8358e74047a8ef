import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type Limits, limitsText } from "../http2/limits.ts";
import { Http1Connection } from "./http1-connection.ts";
import { Http1Exchange } from "./http1-exchange.ts";

export interface Http1ServerOptions {
  readonly limits: Limits;
  /** A request came: `exchange.carry` must be called before this returns. Must not throw. */
  onRequest(exchange: Http1Exchange, request: IncomingMessage): void;
  onLost(connection: Http1Connection): void;
}

/** Not imported: an import copies every export of the module, and reading its WebSocket loads 60 ms and 3 MiB of undici. */
const { createServer } = process.getBuiltinModule("node:http");
/** Time for a request to arrive whole, its body included. */
const requestMs = 300_000;
/** An unused connection is closed after this long, and a silent one asked whether it is still there. */
const idleMs = 60_000;
/** How long a refused connection may take to read its answer. */
const lingerMs = 500;

/** HTTP/1.1 on connections that somebody else has accepted. */
export class Http1Server {
  readonly #options: Http1ServerOptions;
  readonly #server: Server;
  readonly #connections = new WeakMap<Duplex, Http1Connection>();

  constructor(options: Http1ServerOptions) {
    const { limits } = options;
    this.#options = options;
    this.#server = createServer({
      maxHeaderSize: limits.maxHeaderListBytes,
      headersTimeout: limits.handshakeMs,
      requestTimeout: Math.max(requestMs, limits.handshakeMs),
      keepAliveTimeout: idleMs,
      connectionsCheckingInterval: 1000,
      insecureHTTPParser: false,
      requireHostHeader: false,
    });
    // Node would leave out fields above its count without a word; they are counted here.
    this.#server.maxHeadersCount = 0;
    this.#server.on("request", (request, response) => this.#onRequest(request, response));
    this.#server.on("clientError", (error, socket) => this.#onClientError(error, socket));
    // It binds nothing itself, and Node looks after slow headers from this event on.
    this.#server.emit("listening");
  }

  /** Serves a connection that has sent `first` already. */
  serve(socket: Socket, first: Buffer | undefined): Http1Connection {
    const connection = new Http1Connection(socket, this.#options.limits.stallMs, this.#options.onLost);
    this.#connections.set(socket, connection);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, idleMs);
    socket.pause();
    if (first !== undefined) socket.unshift(first);
    this.#server.emit("connection", socket);
    socket.resume();
    return connection;
  }

  /** Stops looking after the connections, once they are gone. */
  close(): void {
    this.#server.close();
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    const connection = this.#connections.get(request.socket);
    const { limits } = this.#options;
    const exchange = new Http1Exchange(request, response, limits);
    // Requests sent ahead of the answers would be as many calls at once as somebody likes, and no browser does it.
    if (connection?.begin(exchange) !== true) {
      request.socket.destroy();
      return;
    }
    response.on("close", () => connection.finished());
    if (request.rawHeaders.length > 2 * limits.maxHeaderFields) {
      refuse(
        request.socket,
        tooLarge,
        `there are too many headers: send less ${limitsText(limits, "maxHeaderFields")}`,
      );
      return;
    }
    this.#options.onRequest(exchange, request);
  }

  #onClientError(error: Error & { code?: string }, socket: Duplex): void {
    const connection = this.#connections.get(socket);
    if (error.code === "ECONNRESET" || !socket.writable || connection?.isBusy !== false) {
      socket.destroy();
      return;
    }
    refuse(socket, ...this.#refusal(error.code));
  }

  #refusal(code: string | undefined): [string, string] {
    const { limits } = this.#options;
    switch (code) {
      case "HPE_HEADER_OVERFLOW":
        return [tooLarge, `the headers are too large: send less ${limitsText(limits, "maxHeaderListBytes")}`];
      case "ERR_HTTP_REQUEST_TIMEOUT":
        return ["408 Request Timeout", "the request took too long to arrive"];
      default:
        return ["400 Bad Request", "this is not well-formed HTTP/1.1"];
    }
  }
}

const tooLarge = "431 Request Header Fields Too Large";

/** Answers on the bare connection and ends it. */
function refuse(socket: Duplex, status: string, text: string): void {
  const body = `${text}\n`;
  socket.end(
    `HTTP/1.1 ${status}\r\ncontent-type: text/plain\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
  );
  // Closing with bytes unread would reset the connection, and the answer would be lost with it.
  socket.resume();
  setTimeout(() => socket.destroy(), lingerMs).unref();
}
