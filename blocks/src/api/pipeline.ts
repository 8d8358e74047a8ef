import { type Account, type Metadata, MicroError, namespaceKey } from "@microts/core";
import type { Endpoint } from "../registry/index.ts";
import { answerBlob, isBlobPath } from "./blob-answer.ts";
import { readBody } from "./body.ts";
import { metadataOf } from "./call-metadata.ts";
import { namespaceOf, refuseBlocked } from "./caller.ts";
import type { Cors } from "./cors.ts";
import { authorizationOf } from "./credentials.ts";
import type { Exchange } from "./exchange.ts";
import { findEndpoint, isStream, unknownEndpoint, unknownService } from "./lookup.ts";
import type { CallScope, GatewayOptions, KnownService, Limits } from "./options.ts";
import { Peers } from "./peer.ts";
import { blameBody, requestBytes } from "./request.ts";
import { checkHead, pathOf } from "./request-head.ts";
import { Resolver, type Target } from "./resolve/index.ts";
import { answer } from "./respond.ts";
import { answerStream, streamFormat } from "./stream.ts";

const gatewayId = "go.micro.api";
const withBody: ReadonlySet<string> = new Set(["POST", "PUT", "PATCH", "DELETE"]);

interface Caller {
  readonly account: Account | undefined;
  readonly authorization: string | undefined;
  readonly namespace: string;
}

/** What every request goes through: path → endpoint, caller, rule, request bytes, call, answer. */
export class Pipeline {
  readonly #options: GatewayOptions;
  readonly #limits: Limits;
  readonly #cors: Cors;
  readonly #peers: Peers;
  readonly #resolver = new Resolver();
  readonly #toError: (reason: unknown) => MicroError;

  /** `toError` makes what a caller may be told of anything thrown. */
  constructor(options: GatewayOptions, limits: Limits, cors: Cors, toError: (reason: unknown) => MicroError) {
    this.#options = options;
    this.#limits = limits;
    this.#cors = cors;
    this.#peers = new Peers(options.trustedProxies);
    this.#toError = toError;
  }

  /** One request from path to answer. Throws what it can't be answered for. */
  async run(exchange: Exchange): Promise<void> {
    exchange.clientAddress = this.#peers.clientAddress(exchange.request);
    checkHead(exchange);
    if (this.#answerMeta(exchange)) return;
    const { publicBlob } = this.#options;
    if (publicBlob !== undefined && isBlobPath(exchange.path)) {
      const cors = this.#cors.headers(exchange.request.headers.origin);
      return answerBlob(exchange, publicBlob, cors, this.#limits.answerTimeoutMs);
    }
    const path = pathOf(exchange);
    const known = this.#resolver.known(path);
    const target = known ?? this.#resolver.resolve(path);
    let caller: Caller;
    try {
      const authorization = this.#authorization(exchange);
      const found = authorization === undefined ? undefined : this.#options.account(authorization);
      caller = this.#caller(exchange, authorization, found instanceof Promise ? await found : found);
    } catch (error) {
      this.#options.refused?.(target.service, target.endpoint, error);
      throw error;
    }
    const allowed = this.#options.authorize(caller.account, caller.namespace, target.resource);
    if (allowed !== undefined) await allowed;
    const service = this.#options.resolveService(caller.namespace, target.service);
    const endpoint = service && findEndpoint(service, target.endpoint);
    if (endpoint === undefined && (service === undefined || service.endpoints.length > 0)) {
      throw await this.#missing(target, caller, service);
    }
    if (known === undefined) this.#resolver.remember(path, target);
    const body = readBody(exchange, this.#limits.maxBodyBytes);
    const request = this.#request(exchange, endpoint, body === undefined ? undefined : await body);
    await (isStream(endpoint)
      ? this.#stream(exchange, target, caller, request)
      : this.#call(exchange, target, caller, request));
  }

  /** Answers what is not for a service. */
  #answerMeta(exchange: Exchange): boolean {
    const { request, path } = exchange;
    const { method = "" } = request;
    const origin = request.headers.origin;
    if (method === "OPTIONS") {
      answer(exchange, 204, "", this.#cors.preflight(origin));
      return true;
    }
    if (!withBody.has(method) && method !== "GET" && method !== "HEAD") {
      throw new MicroError(405, gatewayId, `${method} is not answered here. Use GET with a query, or POST with a body`);
    }
    if (path !== "/" && path !== "/favicon.ico") return false;
    const body = path === "/" ? JSON.stringify({ version: this.#options.version }) : "";
    answer(exchange, 200, body, path === "/" ? this.#cors.jsonHeaders(origin) : this.#cors.headers(origin));
    return true;
  }

  #authorization({ request }: Exchange): string | undefined {
    const { headers } = request;
    if (headers.cookie === undefined) return headers.authorization || undefined;
    return authorizationOf(headers, this.#peers.scheme(request), this.#cors);
  }

  #caller(exchange: Exchange, authorization: string | undefined, account: Account | undefined): Caller {
    exchange.account = account;
    const namespace = namespaceOf(exchange.request.headers[namespaceKey] as string | undefined, account);
    const { blocked } = this.#options;
    if (account !== undefined && blocked !== undefined) refuseBlocked(account, namespace, blocked);
    return { account, authorization, namespace };
  }

  /** The 404 for what isn't there, telling of nothing that the caller may not call. */
  #missing(target: Target, { account, namespace }: Caller, service: KnownService | undefined): Promise<MicroError> {
    const maySee = async (name: string, endpoint: string) => {
      try {
        await this.#options.authorize(account, namespace, { type: "service", name, endpoint });
        return true;
      } catch {
        return false;
      }
    };
    return service === undefined
      ? unknownService(target, namespace, this.#options, maySee)
      : unknownEndpoint(target, namespace, service, maySee);
  }

  #request(exchange: Exchange, endpoint: Endpoint | undefined, body: Buffer | undefined): Uint8Array {
    const contentType = exchange.request.headers["content-type"];
    return requestBytes({ query: exchange.query, contentType, body, schema: endpoint?.request });
  }

  async #call(exchange: Exchange, target: Target, caller: Caller, request: Uint8Array): Promise<void> {
    const deadline = new Date(Date.now() + this.#limits.timeoutMs);
    exchange.deadlineAtMs = deadline.getTime();
    const scope = this.#scope(exchange, caller, deadline);
    let reply: Uint8Array;
    try {
      reply = await this.#options.call(caller.namespace, target.service, target.endpoint, request, scope);
    } catch (reason) {
      throw blameBody(reason, request);
    }
    const { origin } = exchange.request.headers;
    if (reply.byteLength === 0) answer(exchange, 204, "", this.#cors.headers(origin));
    else answer(exchange, 200, reply, this.#cors.jsonHeaders(origin));
  }

  async #stream(exchange: Exchange, target: Target, caller: Caller, request: Uint8Array): Promise<void> {
    exchange.isStream = true;
    const format = streamFormat(exchange.request.headers.accept);
    const cors = this.#cors.headers(exchange.request.headers.origin);
    const none = async function* () {};
    const scope = this.#scope(exchange, caller, undefined);
    const messages =
      exchange.request.method === "HEAD"
        ? none()
        : this.#options.stream(caller.namespace, target.service, target.endpoint, request, scope);
    await answerStream(exchange, messages, { format, cors, toError: this.#toError });
  }

  #scope(exchange: Exchange, { account, authorization, namespace }: Caller, deadline: Date | undefined): CallScope {
    const { headers, socket } = exchange.request;
    const isTrusted = this.#peers.isTrusted(socket.remoteAddress ?? "");
    const address = exchange.clientAddress;
    const metadata = metadataOf(headers, { namespace, authorization, address, isTrusted });
    return new Scope(exchange, metadata, deadline, account);
  }
}

/** Makes a signal only for calls that ask for one. */
class Scope implements CallScope {
  readonly metadata: Metadata;
  readonly deadline: Date | undefined;
  readonly account: Account | undefined;
  readonly #exchange: Exchange;

  constructor(exchange: Exchange, metadata: Metadata, deadline: Date | undefined, account: Account | undefined) {
    this.#exchange = exchange;
    this.metadata = metadata;
    this.deadline = deadline;
    this.account = account;
  }

  get signal(): AbortSignal {
    return this.#exchange.signal;
  }
}
