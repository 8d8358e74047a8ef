import { randomUUID } from "node:crypto";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { type Account, type Log, MicroError, namespaceKey, silent } from "@microts/core";
import type { Endpoint } from "../registry/index.ts";
import { accessLine } from "./access-log.ts";
import { readBody } from "./body.ts";
import { metadataOf } from "./call-metadata.ts";
import { namespaceOf, refuseBlocked } from "./caller.ts";
import { Cors } from "./cors.ts";
import { authorizationOf } from "./credentials.ts";
import { Exchange } from "./exchange.ts";
import { bind, createListener } from "./listener.ts";
import { findEndpoint, isStream, unknownEndpoint, unknownService } from "./lookup.ts";
import { type CallScope, defaultLimits, type GatewayOptions, type Limits } from "./options.ts";
import { Peers } from "./peer.ts";
import { blameBody, requestBytes } from "./request.ts";
import { checkHead, pathOf } from "./request-head.ts";
import { Resolver, type Target } from "./resolve/index.ts";
import { answer, answerError } from "./respond.ts";
import { answerStream, streamFormat } from "./stream.ts";

const gatewayId = "go.micro.api";
const jsonHeaders = ["Content-Type", "application/json", "X-Content-Type-Options", "nosniff"];
const withBody: ReadonlySet<string> = new Set(["POST", "PUT", "PATCH", "DELETE"]);
const sweepMs = 250;

interface Caller {
  readonly account: Account | undefined;
  readonly authorization: string | undefined;
  readonly namespace: string;
}

/**
 * The HTTP/JSON gateway: a request's path names a service and an endpoint, its query and body become the JSON that the service is called with,
 * and the service's JSON comes back unchanged. Errors are Micro's, with the HTTP status that is their code.
 */
export class Gateway implements AsyncDisposable {
  readonly #options: GatewayOptions;
  readonly #limits: Limits;
  readonly #log: Log;
  readonly #cors: Cors;
  readonly #peers: Peers;
  readonly #resolver = new Resolver();
  readonly #server: Server;
  readonly #running = new Set<Exchange>();
  #sweeper: NodeJS.Timeout | undefined;
  #address = "";
  #closing: Promise<void> | undefined;

  /** Throws 400 for a bad CORS origin or proxy address. */
  constructor(options: GatewayOptions) {
    this.#options = options;
    this.#limits = { ...defaultLimits, ...options.limits };
    this.#log = options.log ?? silent;
    this.#cors = new Cors(options.corsOrigins);
    this.#peers = new Peers(options.trustedProxies);
    this.#server = createListener(this.#limits, {
      request: (request, response, expectsContinue) => this.#serve(request, response, expectsContinue),
      malformed: (socket, error) => this.#malformed(socket, error),
    });
  }

  /** `host:port` as bound; "" before `listen`. */
  get address(): string {
    return this.#address;
  }

  /** How many requests are being answered. */
  get running(): number {
    return this.#running.size;
  }

  /** Begins to serve. Throws 409 when the port is taken. */
  async listen(): Promise<void> {
    this.#address = await bind(this.#server, this.#options.address);
    this.#sweeper = setInterval(() => this.#sweep(Date.now()), sweepMs).unref();
  }

  /** Stops accepting and lets requests finish for up to `graceMs`, telling clients to close; then streams end and the rest is cut. */
  close(graceMs: number): Promise<void> {
    this.#closing ??= this.#drain(graceMs);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close(0);
  }

  #serve(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void {
    const exchange = new Exchange(request, response, expectsContinue);
    exchange.mustClose = this.#closing !== undefined;
    this.#running.add(exchange);
    response.on("close", () => this.#ended(exchange));
    this.#run(exchange).catch((reason: unknown) => this.#fail(exchange, reason));
  }

  /** One request from path to answer. */
  async #run(exchange: Exchange): Promise<void> {
    exchange.clientAddress = this.#peers.clientAddress(exchange.request);
    checkHead(exchange);
    if (this.#answerMeta(exchange)) return;
    const path = pathOf(exchange);
    const target = this.#resolver.resolve(path);
    const caller = await this.#identify(exchange);
    const allowed = this.#options.authorize(caller.account, caller.namespace, target.resource);
    if (allowed !== undefined) await allowed;
    const endpoint = await this.#find(target, caller);
    this.#resolver.remember(path, target);
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
      this.#answer(exchange, 204, "", this.#cors.preflight(origin));
      return true;
    }
    if (!withBody.has(method) && method !== "GET" && method !== "HEAD") {
      throw new MicroError(405, gatewayId, `${method} is not answered here. Use GET with a query, or POST with a body`);
    }
    if (path !== "/" && path !== "/favicon.ico") return false;
    const body = path === "/" ? JSON.stringify({ version: this.#options.version }) : "";
    this.#answer(exchange, 200, body, [...(path === "/" ? jsonHeaders : []), ...this.#cors.headers(origin)]);
    return true;
  }

  async #identify(exchange: Exchange): Promise<Caller> {
    const { request } = exchange;
    const authorization = authorizationOf(request.headers, this.#peers.scheme(request), this.#cors);
    const found = authorization === undefined ? undefined : this.#options.account(authorization);
    const account = found instanceof Promise ? await found : found;
    exchange.account = account;
    const namespace = namespaceOf(request.headers[namespaceKey] as string | undefined, account);
    const { blocked } = this.#options;
    if (account !== undefined && blocked !== undefined) refuseBlocked(account, namespace, blocked);
    return { account, authorization, namespace };
  }

  /** Undefined when the service publishes no endpoints. Throws 404. */
  async #find(target: Target, { account, namespace }: Caller): Promise<Endpoint | undefined> {
    const maySee = async (name: string, endpoint: string) => {
      try {
        await this.#options.authorize(account, namespace, { type: "service", name, endpoint });
        return true;
      } catch {
        return false;
      }
    };
    const service = this.#options.resolveService(namespace, target.service);
    if (service === undefined) throw await unknownService(target, namespace, this.#options, maySee);
    const endpoint = findEndpoint(service, target.endpoint);
    if (endpoint === undefined && service.endpoints.length > 0)
      throw await unknownEndpoint(target, namespace, service, maySee);
    return endpoint;
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
    const cors = this.#cors.headers(exchange.request.headers.origin);
    if (reply.byteLength === 0) this.#answer(exchange, 204, "", cors);
    else this.#answer(exchange, 200, reply, [...jsonHeaders, ...cors]);
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
    await answerStream(exchange, messages, { format, cors, toError: (reason) => this.#errorOf(reason) });
    this.#logAccess(exchange);
  }

  #scope(exchange: Exchange, { account, authorization, namespace }: Caller, deadline: Date | undefined): CallScope {
    const { headers, socket } = exchange.request;
    const isTrusted = this.#peers.isTrusted(socket.remoteAddress ?? "");
    const address = exchange.clientAddress;
    return {
      metadata: metadataOf(headers, { namespace, authorization, address, isTrusted }),
      get signal() {
        return exchange.signal;
      },
      deadline,
      account,
    };
  }

  #answer(exchange: Exchange, status: number, body: Uint8Array | string, headers: readonly string[]): void {
    if (exchange.status !== 0) return;
    answer(exchange, status, body, headers);
    this.#logAccess(exchange);
  }

  #fail(exchange: Exchange, reason: unknown): void {
    const error = this.#errorOf(reason);
    if (exchange.status !== 0) {
      if (!exchange.response.writableEnded) exchange.response.destroy();
      return;
    }
    answerError(exchange, error, this.#cors.headers(exchange.request.headers.origin));
    this.#logAccess(exchange);
  }

  /** What a caller is told: a MicroError as it is; of anything else, which is our own fault, only a number to find it by. */
  #errorOf(reason: unknown): MicroError {
    const isKnown =
      reason instanceof MicroError || (reason instanceof Error && /^(?:Abort|Timeout)Error$/.test(reason.name));
    if (isKnown) return MicroError.from(reason, gatewayId);
    const reference = randomUUID();
    this.#log.error("request failed", { reference, error: reason instanceof Error ? reason.stack : String(reason) });
    return MicroError.internal(gatewayId, `The gateway failed to answer. The server's log says why under ${reference}`);
  }

  #logAccess(exchange: Exchange): void {
    this.#options.accessLog?.(accessLine(exchange));
  }

  #ended(exchange: Exchange): void {
    this.#running.delete(exchange);
    if (exchange.response.writableFinished) return;
    exchange.abort(new DOMException("the client went away", "AbortError"));
    // Nobody reads this answer; the log shall say 499 all the same.
    if (exchange.status === 0) this.#fail(exchange, new MicroError(499, gatewayId, "the client went away"));
  }

  #malformed(socket: Duplex, error: MicroError): boolean {
    let isRunning = false;
    for (const exchange of this.#running) {
      if (exchange.request.socket !== socket) continue;
      isRunning = true;
      exchange.mustClose = true;
      // The body of this very request is broken; otherwise it is what came behind it, which nobody will read.
      if (!exchange.request.complete) this.#fail(exchange, error);
      // Its head is out, and with it what it says about the connection.
      else if (exchange.status !== 0) socket.end();
    }
    return isRunning;
  }

  /** Ends calls whose deadline passed, and connections whose client doesn't take its answer. */
  #sweep(nowMs: number): void {
    for (const exchange of this.#running) {
      if (exchange.status === 0 && exchange.deadlineAtMs < nowMs) {
        exchange.abort(new DOMException("the deadline passed", "TimeoutError"));
        const detail = `${exchange.path} did not answer within ${this.#limits.timeoutMs} ms`;
        this.#fail(exchange, new MicroError(504, gatewayId, detail));
      } else if (
        exchange.status !== 0 &&
        !exchange.isStream &&
        exchange.answeredAtMs + this.#limits.answerTimeoutMs < nowMs
      ) {
        exchange.response.destroy();
      }
    }
  }

  async #drain(graceMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const exchange of this.#running) exchange.mustClose = true;
    const cut = setTimeout(() => this.#cut(), graceMs);
    await closed;
    clearTimeout(cut);
    clearInterval(this.#sweeper);
  }

  #cut(): void {
    for (const exchange of this.#running) exchange.abort(new DOMException("the gateway is closing", "AbortError"));
    setImmediate(() => setTimeout(() => this.#server.closeAllConnections(), 50));
  }
}
