import { once } from "node:events";
import type { IncomingMessage, Server, ServerOptions, ServerResponse } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type Log, silent } from "@microts/core";
import type { DashboardBackend } from "./backend.ts";
import { DashboardApi } from "./dashboard-api.ts";
import { DashboardFiles } from "./dashboard-files.ts";
import { presentable } from "./presentable-error.ts";
import { guard } from "./request-guard.ts";
import { setSecurityHeaders } from "./security-headers.ts";
import { type SessionLimits, Sessions } from "./sessions.ts";

export interface DashboardServerOptions {
  readonly backend: DashboardBackend;
  /** Address to listen on. Default 127.0.0.1. */
  readonly host?: string;
  /** Default 8082; 0 takes any free port. */
  readonly port?: number;
  /** Names besides localhost under which browsers may reach it, without a port. Default none. */
  readonly hosts?: readonly string[];
  /** PEM. Without it the dashboard speaks plain HTTP. */
  readonly tls?: { readonly key: string | Buffer; readonly cert: string | Buffer };
  /** Folder of the built page. Default: that of @microts/dashboard. */
  readonly files?: string;
  readonly sessions?: SessionLimits;
  readonly log?: Log;
}

/** Not imported: an import copies every export of the module, and reading its WebSocket loads 60 ms and 3 MiB of undici. */
const { createServer } = process.getBuiltinModule("node:http");
const httpLimits: ServerOptions = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  keepAliveTimeout: 10_000,
  connectionsCheckingInterval: 5_000,
  maxHeaderSize: 16 * 1024,
};
const maxConnections = 1024;
const closeGraceMs = 500;

/** The dashboard over HTTP: the page's files, and its API in front of a backend. */
export class DashboardServer implements AsyncDisposable {
  readonly #server: Server;
  readonly #sessions: Sessions;
  readonly #api: DashboardApi;
  readonly #files: DashboardFiles;
  readonly #hosts: readonly string[];
  readonly #log: Log;
  readonly #ending = new AbortController();

  private constructor({ backend, hosts = [], files, tls, sessions, log = silent }: DashboardServerOptions) {
    this.#hosts = hosts.map((name) => name.toLowerCase());
    this.#log = log;
    this.#sessions = new Sessions(sessions);
    this.#api = new DashboardApi(backend, this.#sessions, log);
    this.#files = new DashboardFiles(files ?? builtPage());
    const listener = (request: IncomingMessage, response: ServerResponse) => void this.#serve(request, response);
    this.#server =
      tls === undefined
        ? createServer(httpLimits, listener)
        : process.getBuiltinModule("node:https").createServer({ ...httpLimits, ...tls }, listener);
    this.#server.maxConnections = maxConnections;
  }

  /** Resolves once it accepts connections. Rejects with the system's error, such as EADDRINUSE. */
  static async listen(options: DashboardServerOptions): Promise<DashboardServer> {
    const dashboard = new DashboardServer(options);
    dashboard.#server.listen(options.port ?? 8082, options.host ?? "127.0.0.1");
    try {
      await once(dashboard.#server, "listening");
    } catch (error) {
      dashboard.#sessions[Symbol.dispose]();
      throw error;
    }
    return dashboard;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Ends every session and running call, then the connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#ending.abort(new DOMException("the server is stopping", "AbortError"));
    this.#sessions[Symbol.dispose]();
    await Promise.race([closed, delay(closeGraceMs, undefined, { ref: false })]);
    this.#server.closeAllConnections();
    await closed;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    response.on("error", () => gone.abort());
    setSecurityHeaders(request, response);
    try {
      guard(request, this.#hosts);
      const signal = AbortSignal.any([gone.signal, this.#ending.signal]);
      if (request.url?.startsWith("/api/")) await this.#api.serve(request, response, signal);
      else await this.#files.serve(request, response);
    } catch (reason) {
      this.#fail(request, response, reason);
    }
  }

  #fail(request: IncomingMessage, response: ServerResponse, reason: unknown): void {
    if (response.headersSent) {
      response.destroy();
      return;
    }
    const error = presentable(reason, this.#log);
    const body = Buffer.from(JSON.stringify(error));
    // What is left of a refused body isn't read.
    if (!request.complete) response.setHeader("connection", "close");
    response.setHeader("cache-control", "no-store");
    response.writeHead(error.code, { "content-type": "application/json", "content-length": body.length }).end(body);
  }
}

function builtPage(): string {
  const require = createRequire(import.meta.url);
  return join(dirname(require.resolve("@microts/dashboard/package.json")), "dist");
}
