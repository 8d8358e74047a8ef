import { type BlockList, type CallScope, Gateway } from "@microts/blocks/api";
import type { Auth } from "@microts/blocks/auth";
import { pickNode, type Router } from "@microts/blocks/proxy";
import type { RoutingView } from "@microts/blocks/registry";
import type { Blobs } from "@microts/blocks/store";
import { coreServices, defaultNamespace, type Log } from "@microts/core";
import type { CallOptions, RpcClient } from "@microts/core/rpc";
import { explainBind } from "./port-owner.ts";
import { publicBlobs } from "./public-blobs.ts";
import { refusals } from "./refusals.ts";
import type { Settings } from "./settings.ts";

/** How long running calls may take to finish when the platform stops. */
export const graceMs = 3_000;

export interface GatewayParts {
  readonly auth: Auth;
  readonly view: RoutingView;
  readonly router: Router;
  /** Reaches the platform's own services. */
  readonly rpc: RpcClient;
  readonly blockList: BlockList;
  readonly blobs: Blobs;
  readonly log: Log;
  readonly version: string;
}

/** The HTTP gateway before the platform. It has checked caller and rules itself, so it calls a service's node directly. */
export async function openGateway(
  settings: Settings,
  parts: GatewayParts,
  stack: AsyncDisposableStack,
): Promise<Gateway> {
  const { auth, view, router, rpc, blockList, blobs, log, version } = parts;
  const domainOf = (namespace: string, service: string) => (coreServices.has(service) ? defaultNamespace : namespace);
  const optionsOf = (namespace: string, service: string, scope: CallScope): CallOptions => ({
    ...scope,
    format: "json",
    address: coreServices.has(service) ? undefined : pickNode(router, service, namespace),
  });
  const gateway = new Gateway({
    address: settings.apiAddress,
    version,
    log,
    corsOrigins: settings.corsOrigins,
    resolveService: (namespace, service) => view.entries(domainOf(namespace, service), service)[0],
    serviceNames: (namespace) => view.names(namespace),
    account: (authorization) => auth.verify(authorization),
    // As at the proxy: the platform's own services check their callers themselves.
    authorize: (account, namespace, resource) =>
      coreServices.has(resource.name) ? undefined : auth.authorize(account, namespace, resource),
    refused: refusals(log),
    publicBlob: publicBlobs(blobs),
    blocked: (id, namespace) => blockList.isBlocked(id, namespace),
    call: (namespace, service, endpoint, request, scope) =>
      rpc.unary(service, endpoint, request, optionsOf(namespace, service, scope)),
    stream: (namespace, service, endpoint, request, scope) =>
      rpc.serverStream(service, endpoint, request, optionsOf(namespace, service, scope)),
    accessLog: (line) => log.debug(line),
  });
  try {
    await gateway.listen();
  } catch (error) {
    throw await explainBind(error, settings.apiAddress, "HTTP gateway", "--api_address or MICRO_API_ADDRESS");
  }
  stack.defer(() => gateway.close(graceMs));
  return gateway;
}
