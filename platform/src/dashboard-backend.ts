import type { Auth } from "@microts/blocks/auth";
import type { Registry, RoutingView } from "@microts/blocks/registry";
import { authorizationKey, MicroError, namespaceKey } from "@microts/core";
import type { RpcClient } from "@microts/core/rpc";
import type { DashboardBackend, DashboardCall, DashboardService, DashboardSession } from "./dashboard/backend.ts";

interface Renewable {
  refreshToken: string;
  token: string;
  expiresAt: number;
}

const renewBeforeMs = 60_000;
const lifetimeMs = 15 * 60_000;

/** The dashboard's way into the platform: the same sign-in, rules and calls as everybody else's. */
export class PlatformBackend implements DashboardBackend {
  readonly #auth: Auth;
  readonly #registry: Registry;
  readonly #view: RoutingView;
  readonly #rpc: RpcClient;
  readonly #tokens = new WeakMap<DashboardSession, Renewable>();

  constructor(auth: Auth, registry: Registry, view: RoutingView, rpc: RpcClient) {
    this.#auth = auth;
    this.#registry = registry;
    this.#view = view;
    this.#rpc = rpc;
  }

  async login(id: string, password: string, signal: AbortSignal): Promise<DashboardSession> {
    const token = await this.#auth.signIn(id, password, { ttlMs: lifetimeMs, signal });
    const account = await this.#auth.inspect(token.accessToken, signal);
    const session = { token: token.accessToken, account, namespace: account.issuer };
    this.#tokens.set(session, {
      token: token.accessToken,
      refreshToken: token.refreshToken,
      expiresAt: token.expiry.getTime(),
    });
    return session;
  }

  async services(session: DashboardSession, signal: AbortSignal): Promise<readonly DashboardService[]> {
    await this.#auth.inspect(await this.#token(session, signal), signal);
    const entries = await this.#registry.services({ domain: session.namespace, signal });
    return entries.map(({ endpoints, ...entry }) => ({
      ...entry,
      endpoints: endpoints.map(({ name, request, response, metadata }) => ({
        name,
        stream: metadata["stream"] === "true",
        ...(metadata["description"] !== undefined && { description: metadata["description"] }),
        request: request ?? null,
        response: response ?? null,
        metadata,
      })),
    }));
  }

  async call(
    session: DashboardSession,
    service: string,
    endpoint: string,
    request: Uint8Array,
    signal: AbortSignal,
  ): Promise<DashboardCall> {
    const [entry] = this.#view.entries(session.namespace, service);
    const known = entry?.endpoints.find(({ name }) => name === endpoint);
    if (known === undefined) {
      throw MicroError.notFound(
        `${service}.${endpoint}`,
        `there is no ${endpoint} of a service "${service}" in namespace "${session.namespace}". It may have stopped: see micro status`,
      );
    }
    const token = await this.#token(session, signal);
    const metadata = { [authorizationKey]: `Bearer ${token}`, [namespaceKey]: session.namespace };
    const options = { metadata, signal, format: "json" } as const;
    if (known.metadata["stream"] === "true") {
      return { stream: true, replies: this.#rpc.serverStream(service, endpoint, request, options) };
    }
    return { stream: false, replies: once(await this.#rpc.unary(service, endpoint, request, options)) };
  }

  async #token(session: DashboardSession, signal: AbortSignal): Promise<string> {
    const held = this.#tokens.get(session);
    if (held === undefined) throw MicroError.unauthorized("dashboard", "the session has ended. Sign in again");
    if (held.expiresAt - Date.now() > renewBeforeMs) return held.token;
    const token = await this.#auth.refresh(held.refreshToken, {
      namespace: session.namespace,
      ttlMs: lifetimeMs,
      signal,
    });
    Object.assign(held, {
      token: token.accessToken,
      refreshToken: token.refreshToken,
      expiresAt: token.expiry.getTime(),
    });
    return token.accessToken;
  }
}

async function* once(reply: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield reply;
}
