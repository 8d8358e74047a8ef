import { proxyHandler } from "@microts/blocks/proxy";
import { Connections, listen } from "@microts/core/rpc";
import { type Certificate, makeCertificate } from "../certificate.ts";
import { InteropClient } from "./interop-client.ts";

/** How the calls of a client get to a server. */
export type Way = "straight" | "through our proxy" | "over TLS";

/** A server on a loopback port. */
export interface Server extends AsyncDisposable {
  /** `host:port`. */
  readonly address: string;
}

/** Starts a server; with the certificate when it is there, else in clear text. */
export type Serve = (certificate: Certificate | undefined) => Promise<Server>;

/** A server that runs, and where to call it. */
export interface Served extends Server {
  readonly certificate: Certificate | undefined;
  readonly port: string;
  /** A new client of ours. */
  open(): InteropClient;
}

/** Starts a server, and what the way to it needs. */
export async function openWay(way: Way, serve: Serve): Promise<Served> {
  await using opened = new AsyncDisposableStack();
  const certificate = way === "over TLS" ? opened.use(await makeCertificate()) : undefined;
  const server = opened.use(await serve(certificate));
  const { address } = way === "through our proxy" ? opened.use(await serveProxy(server.address)) : server;
  const all = opened.move();
  return {
    address,
    certificate,
    port: address.slice(address.lastIndexOf(":") + 1),
    open: () =>
      certificate === undefined
        ? new InteropClient(address)
        : new InteropClient(`https://${address}`, { ca: certificate.cert, servername: "localhost" }),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

/** The platform's proxy, with a server behind it that answers all services for anybody. */
async function serveProxy(address: string): Promise<Server> {
  await using opened = new AsyncDisposableStack();
  const connections = opened.use(new Connections());
  const handler = proxyHandler({
    router: {
      routes: (service, network) => [{ service, address, network, metric: 1, metadata: {} }],
    },
    local: new Map(),
    connections,
    account: async () => undefined,
    authorize: async () => {},
    refused: () => {},
  });
  const listener = opened.use(await listen(handler, { address: "127.0.0.1:0" }));
  const all = opened.move();
  return { address: listener.address, [Symbol.asyncDispose]: () => all.disposeAsync() };
}
