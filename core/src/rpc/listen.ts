import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TlsOptions } from "node:tls";
import { MicroError } from "../errors.ts";
import { type Log, silent } from "../log.ts";
import { Acceptor } from "./acceptor.ts";
import { bind } from "./bind.ts";
import { listenDefaults, serverKeepalive } from "./defaults.ts";
import type { KeepaliveOptions } from "./http2/keepalive.ts";
import { defaultLimits, type Limits } from "./http2/limits.ts";
import { Requests } from "./requests.ts";
import type { CallHandler, Listener } from "./transport.ts";
import type { WebOptions } from "./web/cors.ts";

export interface ListenOptions {
  /** `host:port`, where port 0 takes a free one, or `unix:/path/of/socket`. */
  readonly address: string;
  /** Who may open a Unix socket. Default 0o600: the server's own user. */
  readonly socketMode?: number;
  /** Largest message either way. Default 32 MiB. */
  readonly maxMessageBytes?: number;
  /** Serves TLS with ALPN `h2` and `http/1.1`; as for `tls.createServer`: `cert`, `key`, and `ca`, `requestCert` for client certificates. */
  readonly tls?: Pick<TlsOptions, "cert" | "key" | "ca" | "requestCert" | "rejectUnauthorized">;
  /** What one connection may cost. The defaults stand in `Limits`. */
  readonly limits?: Partial<Limits>;
  /** Default: a PING after 60 s of silence, the peer is gone when 20 s later nothing has come; it may ask every 10 s itself. */
  readonly keepalive?: Partial<KeepaliveOptions>;
  /** How browsers are served: gRPC-Web over HTTP/2 and HTTP/1.1. False: not at all. Default: pages of the server's own origin. */
  readonly web?: WebOptions | false;
  /** Connections at once; more are closed as they come. Default 10,000. */
  readonly maxConnections?: number;
  /** Told of connections that went over a limit, and in `debug` of other mistakes of peers. Says nothing by default. */
  readonly log?: Log;
}

/**
 * Serves gRPC over HTTP/2, in clear text (prior knowledge) or TLS, and gRPC-Web over HTTP/2 and HTTP/1.1 on the same port, and hands every call to
 * `handler`. Rejects when the address can't be bound.
 */
export async function listen(handler: CallHandler, options: ListenOptions): Promise<Listener> {
  const limits = { ...defaultLimits, ...options.limits };
  const server = options.tls === undefined ? createServer() : tlsServer(options.tls, limits, options.web);
  server.maxConnections = options.maxConnections ?? listenDefaults.maxConnections;
  const acceptor = new Acceptor({
    handler,
    requests: new Requests(options.maxMessageBytes ?? listenDefaults.maxMessageBytes, options.web ?? {}),
    limits,
    keepalive: { ...serverKeepalive, ...options.keepalive },
    log: options.log ?? silent,
  });
  const onSocket = (socket: Socket) => acceptor.accept(socket);
  server.on(options.tls === undefined ? "connection" : "secureConnection", onSocket);
  // A handshake that fails is its caller's loss alone.
  server.on("tlsClientError", (_, socket: Socket) => socket.destroy());
  const [address, port] = await bind(server, options.address, options.socketMode ?? listenDefaults.socketMode);
  // A connection that can't be accepted is its caller's loss alone.
  server.on("error", () => {});
  let closing: Promise<void> | undefined;
  const close = (graceMs: number) => {
    closing ??= closeAll(server, acceptor, graceMs);
    return closing;
  };
  return {
    address,
    port,
    get load() {
      return acceptor.load;
    },
    close,
    [Symbol.asyncDispose]: () => close(0),
  };
}

function tlsServer(tls: NonNullable<ListenOptions["tls"]>, limits: Limits, web: ListenOptions["web"]): Server {
  const ALPNProtocols = web === false ? ["h2"] : ["h2", "http/1.1"];
  try {
    return createTlsServer({ ...tls, ALPNProtocols, handshakeTimeout: limits.handshakeMs });
  } catch (error) {
    const detail = `tls.cert, tls.key or tls.ca can't be used (${(error as Error).message}). They must be PEM, and the key the certificate's`;
    throw MicroError.badRequest("go.micro.server", detail);
  }
}

async function closeAll(server: Server, acceptor: Acceptor, graceMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  acceptor.drain();
  const cut = setTimeout(() => acceptor.destroy("the server is shutting down"), graceMs);
  await closed;
  clearTimeout(cut);
  acceptor.close();
}
