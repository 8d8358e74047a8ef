import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TlsOptions } from "node:tls";
import { formatAddress, parseAddress } from "./address.ts";
import { readRequestFields } from "./call-fields.ts";
import type { KeepaliveOptions } from "./http2/keepalive.ts";
import { defaultLimits, type Limits } from "./http2/limits.ts";
import type { RequestHead } from "./http2/message-head.ts";
import { ServerConnection } from "./http2/server-connection.ts";
import type { Stream, StreamEvents } from "./http2/stream.ts";
import { isGrpc, NotGrpc } from "./not-grpc.ts";
import { Http2ServerCall } from "./server-call.ts";
import { type CallHandler, defaultMaxMessageBytes, type Listener } from "./transport.ts";

export interface ListenOptions {
  /** `host:port`, where port 0 takes a free one, or `unix:/path/of/socket`. */
  readonly address: string;
  /** Largest message either way. Default 32 MiB. */
  readonly maxMessageBytes?: number;
  /** Serves TLS with ALPN `h2`; as for `tls.createServer`: `cert`, `key`, and `ca`, `requestCert` for client certificates. */
  readonly tls?: Pick<TlsOptions, "cert" | "key" | "ca" | "requestCert" | "rejectUnauthorized">;
  /** What one connection may cost. The defaults stand in `Limits`. */
  readonly limits?: Partial<Limits>;
  /** Default: a PING after 60 s of silence, the peer is gone when 20 s later nothing has come; it may ask every 10 s itself. */
  readonly keepalive?: Partial<KeepaliveOptions>;
  /** Connections at once; more are closed as they come. Default 10,000. */
  readonly maxConnections?: number;
}

const serverKeepalive: KeepaliveOptions = {
  afterMs: 60_000,
  timeoutMs: 20_000,
  withoutCalls: true,
  minIntervalMs: 10_000,
};

/** Serves gRPC over HTTP/2, in clear text (prior knowledge) or TLS, and hands every call to `handler`. Rejects when the address can't be bound. */
export async function listen(handler: CallHandler, options: ListenOptions): Promise<Listener> {
  const server =
    options.tls === undefined ? createServer() : createTlsServer({ ...options.tls, ALPNProtocols: ["h2"] });
  server.maxConnections = options.maxConnections ?? 10_000;
  const connections = new Set<ServerConnection>();
  server.on(options.tls === undefined ? "connection" : "secureConnection", (socket: Socket) => {
    connections.add(serveConnection(socket, handler, options, (connection) => connections.delete(connection)));
  });
  // A handshake that fails is its caller's loss alone.
  server.on("tlsClientError", (_, socket: Socket) => socket.destroy());
  const unixPath = /^unix:(.+)$/.exec(options.address)?.[1];
  const { host, port } = unixPath === undefined ? parseAddress(options.address) : { host: "", port: 0 };
  await bound(server, unixPath === undefined ? { host, port } : { path: unixPath });
  const at = server.address();
  const boundPort = typeof at === "object" && at !== null ? at.port : 0;
  let closing: Promise<void> | undefined;
  const close = (graceMs: number) => {
    closing ??= closeAll(server, connections, graceMs);
    return closing;
  };
  return {
    address: unixPath === undefined ? formatAddress(host, boundPort) : options.address,
    port: boundPort,
    close,
    [Symbol.asyncDispose]: () => close(0),
  };
}

async function bound(server: Server, where: { host: string; port: number } | { path: string }): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(where, () => {
      server.off("error", reject);
      resolve();
    });
  });
  // A connection that can't be accepted is its caller's loss alone.
  server.on("error", () => {});
}

async function closeAll(server: Server, connections: ReadonlySet<ServerConnection>, graceMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  for (const connection of connections) connection.drain();
  const cut = setTimeout(() => {
    for (const connection of connections) connection.destroy("the server is shutting down");
  }, graceMs);
  await closed;
  clearTimeout(cut);
}

function serveConnection(
  socket: Socket,
  handler: CallHandler,
  options: ListenOptions,
  onLost: (connection: ServerConnection) => void,
): ServerConnection {
  const maxBytes = options.maxMessageBytes ?? defaultMaxMessageBytes;
  const peer =
    socket.remoteAddress === undefined ? "unix" : formatAddress(socket.remoteAddress, socket.remotePort ?? 0);
  // Calls begin when all that came with them is there: most have their message by then.
  let begun: Http2ServerCall[] = [];
  const onRequest = (stream: Stream, head: RequestHead, fields: string[]): StreamEvents => {
    const known = readRequestFields(fields, head.fieldsFrom);
    const contentType = known.contentType ?? "";
    if (!isGrpc(head, contentType)) return new NotGrpc(stream, head);
    const call = new Http2ServerCall(stream, head, fields, contentType, known, maxBytes, peer);
    connection.running++;
    begun.push(call);
    return call;
  };
  const onTurnEnd = () => {
    if (begun.length === 0) return;
    const calls = begun;
    begun = [];
    for (const call of calls) call.run(handler, onDone);
  };
  const onDone = () => {
    connection.running--;
  };
  const connection = new ServerConnection(socket, {
    limits: { ...defaultLimits, ...options.limits },
    keepalive: { ...serverKeepalive, ...options.keepalive },
    onRequest,
    onTurnEnd,
    onLost,
  });
  socket.on("data", (chunk: Buffer) => connection.receive(chunk));
  return connection;
}
