import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MicroError } from "@microts/core";
import type { DashboardBackend, DashboardService, DashboardSession } from "../../platform/src/dashboard/backend.ts";
import { DashboardServer, type DashboardServerOptions } from "../../platform/src/dashboard/dashboard-server.ts";

export const jane: DashboardSession = {
  token: "the-token-stays-here",
  account: { id: "jane", name: "Jane", type: "user", scopes: ["admin"] },
  namespace: "acme",
};

/** Jane's password is `right`. Endpoints do what their names say; `Stream.Endless` sends one reply and waits to be cancelled. */
export class OneAccount implements DashboardBackend {
  isRevoked = false;
  readonly calls: { service: string; endpoint: string; request: string; token: string }[] = [];
  /** The endless calls that have been cancelled. */
  readonly cancelled: string[] = [];

  async login(id: string, password: string): Promise<DashboardSession> {
    if (id === "jane" && password === "right") return { ...jane };
    throw MicroError.unauthorized("auth.Auth.Token", "wrong account or password");
  }

  async services(): Promise<readonly DashboardService[]> {
    if (this.isRevoked) throw MicroError.unauthorized("auth", "the account is gone");
    return [{ name: "helloworld", version: "latest", metadata: {}, nodes: [], endpoints: [] }];
  }

  async call({ token }: DashboardSession, service: string, endpoint: string, request: Uint8Array, signal: AbortSignal) {
    this.calls.push({ service, endpoint, request: Buffer.from(request).toString(), token });
    return { stream: endpoint.startsWith("Stream."), replies: this.#replies(endpoint, request, signal) };
  }

  async *#replies(endpoint: string, request: Uint8Array, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    if (endpoint === "Echo.Call") return yield request;
    if (endpoint === "Fail.Call") throw MicroError.notFound("helloworld", "no such greeting");
    if (endpoint === "Bug.Call") throw new TypeError("secret detail of the code");
    if (endpoint === "Stream.Refused") throw MicroError.forbidden("clock", "not for you");
    yield Buffer.from('{\n  "n": 1\n}');
    if (endpoint === "Stream.Breaks") throw MicroError.unavailable("clock", "the node went away");
    if (endpoint === "Stream.Bug") throw new TypeError("secret detail of the code");
    if (endpoint === "Stream.Short") return yield Buffer.from('{"n":2}');
    if (!signal.aborted) await once(signal, "abort");
    this.cancelled.push(endpoint);
  }
}

export interface DashboardAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

interface Sent {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Record<string, string>;
}

/** A dashboard's server on a free port with a page of three files, over sockets. */
export class DashboardUnderTest implements AsyncDisposable {
  readonly backend: OneAccount;
  readonly server: DashboardServer;
  readonly #folder: string;
  readonly #certificate: string | undefined;
  readonly #clock: { ms: number };

  private constructor(
    backend: OneAccount,
    server: DashboardServer,
    folder: string,
    certificate: string | undefined,
    clock: { ms: number },
  ) {
    this.backend = backend;
    this.server = server;
    this.#folder = folder;
    this.#certificate = certificate;
    this.#clock = clock;
  }

  static async open(options: Partial<DashboardServerOptions> = {}): Promise<DashboardUnderTest> {
    const backend = new OneAccount();
    const clock = { ms: Date.now() };
    const folder = await writePage();
    const sessions = { now: () => clock.ms, ...options.sessions };
    const server = await DashboardServer.listen({ backend, port: 0, files: folder, ...options, sessions });
    return new DashboardUnderTest(backend, server, folder, options.tls?.cert.toString(), clock);
  }

  /** Makes its sessions older. */
  advance(hours: number): void {
    this.#clock.ms += hours * 3_600_000;
  }

  /** Jane's `Cookie` header. */
  async signIn(headers: Record<string, string> = {}): Promise<string> {
    const { headers: answered } = await this.post("/api/login", { id: "jane", password: "right" }, headers);
    return answered["set-cookie"]?.[0]?.split(";")[0] ?? "";
  }

  /** Calls an endpoint as Jane. */
  async call(endpoint: string): Promise<DashboardAnswer> {
    return this.post("/api/call", { service: "helloworld", endpoint }, { cookie: await this.signIn() });
  }

  get(path: string, headers: Record<string, string> = {}): Promise<DashboardAnswer> {
    return this.send({ path, headers });
  }

  post(path: string, body: object, headers: Record<string, string> = {}): Promise<DashboardAnswer> {
    return this.send({ method: "POST", path, headers }, JSON.stringify(body));
  }

  async send(sent: Sent, body?: string): Promise<DashboardAnswer> {
    const response = await this.open(sent, body);
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    return { status: response.statusCode ?? 0, headers: response.headers, text: Buffer.concat(chunks).toString() };
  }

  /** The response as soon as its head is there. */
  async open({ headers, ...sent }: Sent, body?: string): Promise<IncomingMessage> {
    const { port } = this.server;
    const json = sent.method === "POST" ? { "content-type": "application/json" } : {};
    const target = { ...sent, host: "127.0.0.1", port, headers: { host: `localhost:${port}`, ...json, ...headers } };
    const request =
      this.#certificate === undefined
        ? httpRequest({ ...target, agent: false })
        : httpsRequest({ ...target, agent: false, ca: this.#certificate, servername: "localhost" });
    request.end(body);
    const [response] = (await once(request, "response")) as [IncomingMessage];
    // A refused body may still be on its way when the connection closes.
    request.on("error", () => {});
    return response;
  }

  /** A stream that Jane has begun and that has sent its first reply. */
  async openStream(cookie: string): Promise<IncomingMessage> {
    const body = JSON.stringify({ service: "clock", endpoint: "Stream.Endless" });
    return this.open({ method: "POST", path: "/api/call", headers: { cookie } }, body);
  }

  /** Sends a request byte by byte as it stands and returns what comes back. */
  async raw(head: string): Promise<string> {
    const socket = connect(this.server.port, "127.0.0.1");
    socket.end(`${head}\r\n\r\n`);
    let answer = "";
    for await (const chunk of socket) answer += String(chunk);
    return answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    await rm(this.#folder, { recursive: true });
  }
}

async function writePage(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "micro-dashboard-"));
  await mkdir(join(folder, "assets"));
  await writeFile(join(folder, "index.html"), "<!doctype html><title>page</title>");
  await writeFile(join(folder, "assets", "app-1a2b.js"), "console.log(1)");
  await writeFile(join(folder, "favicon.svg"), "<svg/>");
  return folder;
}
