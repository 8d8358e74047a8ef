import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { type Log, MicroError } from "@microts/core";
import type { DashboardBackend, DashboardSession } from "./backend.ts";
import { readJsonBody } from "./json-body.ts";
import { presentable } from "./presentable-error.ts";
import { expiredCookie, readSessionCookie, sessionCookie } from "./session-cookie.ts";
import type { LiveSession, Sessions } from "./sessions.ts";

const origin = "dashboard";
const loginTimeoutMs = 30_000;
const listTimeoutMs = 10_000;

type Handler = (request: IncomingMessage, response: ServerResponse, signal: AbortSignal) => Promise<void> | void;

/** What the page asks of the server: session, login, logout, services, call. */
export class DashboardApi {
  readonly #backend: DashboardBackend;
  readonly #sessions: Sessions;
  readonly #log: Log;
  readonly #routes: ReadonlyMap<string, Readonly<Record<string, Handler>>> = new Map([
    ["/api/session", { GET: (request, response) => this.#session(request, response) }],
    ["/api/login", { POST: (request, response, signal) => this.#login(request, response, signal) }],
    ["/api/logout", { POST: (request, response) => this.#logout(request, response) }],
    ["/api/services", { GET: (request, response, signal) => this.#services(request, response, signal) }],
    ["/api/call", { POST: (request, response, signal) => this.#call(request, response, signal) }],
  ] as [string, Record<string, Handler>][]);

  constructor(backend: DashboardBackend, sessions: Sessions, log: Log) {
    this.#log = log;
    this.#backend = backend;
    this.#sessions = sessions;
  }

  /** Answers a request below /api/, or throws a MicroError while nothing has been sent. `signal` aborts when the client has gone. */
  async serve(request: IncomingMessage, response: ServerResponse, signal: AbortSignal): Promise<void> {
    response.setHeader("cache-control", "no-store");
    const [path = ""] = (request.url ?? "").split("?");
    const methods = this.#routes.get(path);
    if (methods === undefined) throw MicroError.notFound(origin, "the dashboard's API has no such path");
    const method = request.method ?? "";
    if (!Object.hasOwn(methods, method)) {
      response.setHeader("allow", Object.keys(methods).join(", "));
      throw new MicroError(405, origin, `${path} takes ${Object.keys(methods).join(", ")}`);
    }
    await methods[method]?.(request, response, signal);
  }

  #session(request: IncomingMessage, response: ServerResponse): void {
    const live = this.#signedIn(request);
    this.#sessions.touch(live.id);
    sendJson(response, describeSession(live.session));
  }

  async #login(request: IncomingMessage, response: ServerResponse, signal: AbortSignal): Promise<void> {
    const body = await readJsonBody(request);
    const id = text(body, "id", 256);
    const password = text(body, "password", 1024);
    const session = await this.#backend.login(id, password, within(signal, loginTimeoutMs));
    this.#end(request);
    const live = await this.#sessions.open(session);
    response.setHeader("set-cookie", sessionCookie(request, live.id));
    sendJson(response, describeSession(session));
  }

  #logout(request: IncomingMessage, response: ServerResponse): void {
    this.#end(request);
    response.setHeader("set-cookie", expiredCookie(request));
    response.writeHead(204).end();
  }

  async #services(request: IncomingMessage, response: ServerResponse, signal: AbortSignal): Promise<void> {
    const live = this.#signedIn(request);
    try {
      const services = await this.#backend.services(live.session, within(signal, listTimeoutMs));
      sendJson(response, { services });
    } catch (error) {
      if (error instanceof MicroError && error.code === 401) this.#sessions.close(live.id);
      throw error;
    }
  }

  async #call(request: IncomingMessage, response: ServerResponse, clientSignal: AbortSignal): Promise<void> {
    const live = this.#signedIn(request);
    const body = await readJsonBody(request);
    const service = text(body, "service", 256);
    const endpoint = text(body, "endpoint", 256);
    const payload = Buffer.from(JSON.stringify(body.request ?? {}));
    const signal = AbortSignal.any([clientSignal, live.signal]);
    this.#sessions.touch(live.id);
    const { stream, replies } = await this.#backend.call(live.session, service, endpoint, payload, signal);
    if (stream) await this.#sendStream(response, replies, live, signal);
    else await sendReply(response, replies);
  }

  /** One reply per line, each sent at once. An error after the first reply is the last line, as `{"error": {id, code, detail, status}}`. */
  async #sendStream(
    response: ServerResponse,
    replies: AsyncIterable<Uint8Array>,
    live: LiveSession,
    signal: AbortSignal,
  ): Promise<void> {
    const start = () => response.headersSent || response.writeHead(200, { "content-type": "application/x-ndjson" });
    try {
      for await (const reply of replies) {
        start();
        this.#sessions.touch(live.id);
        if (!response.write(line(reply))) await once(response, "drain", { signal });
      }
      start();
    } catch (error) {
      if (!response.headersSent) throw error;
      response.write(`${JSON.stringify({ error: presentable(error, this.#log) })}\n`);
    }
    response.end();
  }

  #signedIn(request: IncomingMessage): LiveSession {
    const live = this.#sessions.find(readSessionCookie(request));
    if (live === undefined)
      throw MicroError.unauthorized(origin, "sign in first: there is no session, or it has ended");
    return live;
  }

  #end(request: IncomingMessage): void {
    const live = this.#sessions.find(readSessionCookie(request));
    if (live !== undefined) this.#sessions.close(live.id);
  }
}

function within(signal: AbortSignal, ms: number): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(ms)]);
}

function describeSession({ account, namespace }: DashboardSession): object {
  const { id, name, type, scopes } = account;
  return { account: { id, name, type, scopes }, namespace };
}

function text(body: Readonly<Record<string, unknown>>, field: string, limit: number): string {
  const value = Object.hasOwn(body, field) ? body[field] : undefined;
  if (typeof value === "string" && value !== "" && value.length <= limit) return value;
  throw MicroError.badRequest(origin, `"${field}" has to be a text of 1 to ${limit} characters`);
}

async function sendReply(response: ServerResponse, replies: AsyncIterable<Uint8Array>): Promise<void> {
  let body: Uint8Array = Buffer.from("{}");
  for await (const reply of replies) body = reply;
  response.writeHead(200, { "content-type": "application/json", "content-length": body.length }).end(body);
}

/** Raw line breaks in JSON are only ever white space. */
function line(reply: Uint8Array): Uint8Array {
  return Buffer.concat([reply.map((byte) => (byte === 0x0a || byte === 0x0d ? 0x20 : byte)), Buffer.from("\n")]);
}

function sendJson(response: ServerResponse, body: object): void {
  const bytes = Buffer.from(JSON.stringify(body));
  response.writeHead(200, { "content-type": "application/json", "content-length": bytes.length }).end(bytes);
}
