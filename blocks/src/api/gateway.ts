import { randomUUID } from "node:crypto";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { type Log, MicroError, silent } from "@microts/core";
import { accessLine } from "./access-log.ts";
import { Cors } from "./cors.ts";
import { Exchange } from "./exchange.ts";
import { bind, createListener } from "./listener.ts";
import { defaultLimits, type GatewayOptions, type Limits } from "./options.ts";
import { Pipeline } from "./pipeline.ts";
import { answerError } from "./respond.ts";

const gatewayId = "go.micro.api";
const sweepMs = 250;

/**
 * The HTTP/JSON gateway: a request's path names a service and an endpoint, its query and body become the JSON that the service is called with,
 * and the service's JSON comes back unchanged. Errors are Micro's, with the HTTP status that is their code.
 */
export class Gateway implements AsyncDisposable {
  readonly #options: GatewayOptions;
  readonly #limits: Limits;
  readonly #log: Log;
  readonly #cors: Cors;
  readonly #pipeline: Pipeline;
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
    this.#pipeline = new Pipeline(options, this.#limits, this.#cors, (reason) => this.#errorOf(reason));
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
    this.#pipeline
      .run(exchange)
      .then(() => this.#logAccess(exchange))
      .catch((reason: unknown) => this.#fail(exchange, reason));
  }

  #fail(exchange: Exchange, reason: unknown): void {
    this.#tell(exchange, this.#errorOf(reason));
  }

  #tell(exchange: Exchange, error: MicroError): void {
    if (exchange.status !== 0) {
      if (!exchange.response.writableEnded) exchange.response.destroy();
      return;
    }
    try {
      answerError(exchange, error, this.#cors.jsonHeaders(exchange.request.headers.origin));
      this.#logAccess(exchange);
    } catch (second) {
      // Nothing may escape from here: it would end the process.
      this.#log.error("an error could not be answered", { error: String(second) });
      exchange.response.destroy();
    }
  }

  /**
   * What a caller is told: a MicroError as it is; of anything else, which is our own fault, only a number to find it by. A deadline that passed
   * behind the gateway (408) becomes 504, since a 408 tells clients that they were too slow themselves, and browsers then ask again.
   */
  #errorOf(reason: unknown): MicroError {
    const isKnown =
      reason instanceof MicroError || (reason instanceof Error && /^(?:Abort|Timeout)Error$/.test(reason.name));
    if (isKnown) {
      const error = MicroError.from(reason, gatewayId);
      return error.code === 408 ? new MicroError(504, error.id, error.detail, { cause: error }) : error;
    }
    const reference = randomUUID();
    this.#log.error("request failed", { reference, error: reason instanceof Error ? reason.stack : String(reason) });
    return MicroError.internal(gatewayId, `The gateway failed to answer. The server's log says why under ${reference}`);
  }

  #logAccess(exchange: Exchange): void {
    if (exchange.isLogged) return;
    exchange.isLogged = true;
    this.#options.accessLog?.(accessLine(exchange));
  }

  #ended(exchange: Exchange): void {
    this.#running.delete(exchange);
    // An answer that began before the closing did not say that its connection ends.
    if (this.#closing !== undefined) setImmediate(() => this.#server.closeIdleConnections());
    if (exchange.response.writableFinished) return;
    exchange.abort(new DOMException("the client went away", "AbortError"));
    // Nobody reads this answer; the log shall say 499 all the same.
    if (exchange.status === 0) this.#tell(exchange, new MicroError(499, gatewayId, "the client went away"));
  }

  #malformed(socket: Duplex, error: MicroError): boolean {
    let isRunning = false;
    for (const exchange of this.#running) {
      if (exchange.request.socket !== socket) continue;
      isRunning = true;
      exchange.mustClose = true;
      // The body of this very request is broken; otherwise it is what came behind it, which nobody will read.
      if (!exchange.request.complete) {
        exchange.isBroken = true;
        this.#tell(exchange, error);
      }
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
        this.#tell(exchange, new MicroError(504, gatewayId, detail));
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
