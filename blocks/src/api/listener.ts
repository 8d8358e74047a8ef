import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { MicroError } from "@microts/core";
import { formatAddress, parseAddress } from "@microts/core/rpc";
import { malformedRequest, refuse, refusedTunnel } from "./malformed.ts";
import { type Limits, maxHeaderBytes } from "./options.ts";

/** Not imported: an import copies every export of the module, and reading its WebSocket loads 60 ms and 3 MiB of undici. */
const { createServer } = process.getBuiltinModule("node:http");

export interface ListenerEvents {
  request(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void;
  /**
   * Told of malformed bytes on a connection whose request is still being answered: true when that answer will end the connection, false when
   * the listener shall refuse it.
   */
  malformed(socket: Duplex, error: MicroError): boolean;
}

/** An HTTP/1.1 server with the limits set. Not yet listening. */
export function createListener(limits: Limits, events: ListenerEvents): Server {
  const server = createServer({
    maxHeaderSize: maxHeaderBytes,
    insecureHTTPParser: false,
    requireHostHeader: false,
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveMs,
    connectionsCheckingInterval: 1000,
    noDelay: true,
    // Other upgrades, such as h2c, may be left unanswered (RFC 9110 §7.8).
    shouldUpgradeCallback: ({ headers }) => /\bwebsocket\b/i.test(headers.upgrade ?? ""),
  });
  server.maxConnections = limits.maxConnections;
  // Node would leave headers above this count out without a word; the gateway counts them itself.
  server.maxHeadersCount = 0;
  server.on("request", (request, response) => events.request(request, response, false));
  server.on("checkContinue", (request, response) => events.request(request, response, true));
  server.on("connect", (request, socket) => refuse(socket, refusedTunnel(request)));
  server.on("upgrade", (request, socket) => refuse(socket, refusedTunnel(request)));
  const refusedSockets = new WeakSet<Duplex>();
  server.on("clientError", (reason, socket) => {
    const error = malformedRequest(reason);
    if (error === undefined) {
      socket.destroy();
      return;
    }
    if (refusedSockets.has(socket)) return;
    refusedSockets.add(socket);
    if (!events.malformed(socket, error)) refuse(socket, error);
  });
  return server;
}

/** Binds the server. Resolves with the address as bound; throws 409 when the port is taken, 400 for any other address it can't have. */
export async function bind(server: Server, address: string): Promise<string> {
  const { host, port } = parseAddress(address);
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: Error & { code?: string }) => {
      const detail = `The gateway can't listen on ${address}: ${error.code === "EADDRINUSE" ? "the port is taken" : error.message}`;
      reject(new MicroError(error.code === "EADDRINUSE" ? 409 : 400, "go.micro.api", detail, { cause: error }));
    });
    server.listen({ host, port }, () => {
      server.removeAllListeners("error");
      resolve();
    });
  });
  return formatAddress(host, (server.address() as AddressInfo).port);
}
