import {
  type Account,
  authorizationKey,
  defaultNamespace,
  describe,
  isMember,
  MicroError,
  namespaceKey,
} from "@microts/core";
import {
  type CallHandler,
  type Connections,
  findMethod,
  forward,
  type Method,
  parsePath,
  type ServerCall,
  serveMethod,
} from "@microts/core/rpc";
import type { Route, Router } from "./driver.ts";

/** One service's methods by `Handler.Method`. */
export type MethodTable = ReadonlyMap<string, Method>;

export interface ProxyOptions {
  readonly router: Router;
  /** The platform's own services, answered in this process. They check their callers themselves. */
  readonly local: ReadonlyMap<string, MethodTable>;
  readonly connections: Connections;
  /** The account an `authorization` value proves; undefined without one. Throws 401. */
  account(authorization: string | undefined): Account | undefined | Promise<Account | undefined>;
  /** Throws 401 or 403 when the namespace's rules don't let the account call the endpoint. */
  authorize(account: Account | undefined, namespace: string, service: string, endpoint: string): void | Promise<void>;
  /** Told of a caller that a service of the platform doesn't get to see: its token proves nobody, or somebody of another namespace. */
  refused(service: string, endpoint: string, reason: unknown): void;
}

const proxyId = "go.micro.proxy";

/**
 * The identity-aware proxy: takes a gRPC call addressed by its path (wire §5), proves who calls, asks the rules, and passes it to the service
 * in this process or to a node of it, without decoding. Streams flow both ways as they come; status and trailers stay as the service sent them.
 */
export function proxyHandler(options: ProxyOptions): CallHandler {
  return async (call) => {
    const { service, endpoint } = parsePath(call.path);
    if (service === "")
      throw MicroError.badRequest(proxyId, `service name is blank: expected /service.Handler/Method, got ${call.path}`);
    const methods = options.local.get(service);
    let account: Account | undefined;
    let namespace: string;
    try {
      account = await options.account(call.metadatum(authorizationKey));
      namespace = namespaceOf(call, account, service, endpoint);
    } catch (error) {
      if (methods !== undefined) options.refused(service, endpoint, error);
      throw error;
    }
    if (methods !== undefined) {
      await serveMethod(call, findMethod(methods, service, endpoint), { service, account, namespace });
      return;
    }
    await options.authorize(account, namespace, service, endpoint);
    const address = pickNode(options.router, service, namespace);
    return forward(call, options.connections, address, { [namespaceKey]: namespace });
  };
}

/** The tenant a call acts in: what the caller asks for if it may, else its own. Nobody reaches into a tenant with another tenant's account. */
function namespaceOf(call: ServerCall, account: Account | undefined, service: string, endpoint: string): string {
  const asked = call.metadatum(namespaceKey);
  if (asked === undefined || asked === "") return account?.issuer ?? defaultNamespace;
  if (account === undefined || isMember(account, asked)) return asked;
  throw MicroError.forbidden(
    proxyId,
    `${service} ${endpoint} was called in namespace "${asked}" by ${describe(account)}, which isn't a member of it. Choose your own with: micro user namespace set ${account.issuer}`,
  );
}

let turn = 0;

/** The address of the node whose turn it is: round robin over the nodes nearest by metric. Throws 404 when there is none. */
export function pickNode(router: Router, service: string, namespace: string): string {
  const routes = router.routes(service, namespace);
  const isNearest = ({ metric }: Route) => metric === routes[0]?.metric;
  const nearest = routes.every(isNearest) ? routes : routes.filter(isNearest);
  turn = (turn + 1) % Number.MAX_SAFE_INTEGER;
  const route = nearest[turn % nearest.length];
  // The original's wording first: command lines match on it (wire §4).
  if (route === undefined)
    throw MicroError.notFound(
      proxyId,
      `service ${service}: route not found in namespace "${namespace}". See what runs with: micro services`,
    );
  return route.address;
}
