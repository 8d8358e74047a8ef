import { once } from "node:events";
import { connect, type Socket } from "node:net";

/**
 * One keep-alive connection that sends the same bytes again and again, one request at a time, and reads no more of an answer than it has to:
 * a load generator that costs less than the fastest server. Anything but a 200 with a Content-Length and the expected body is an error.
 */
export class HttpConnection implements AsyncDisposable {
  readonly #address: string;
  readonly #request: Buffer;
  readonly #body: string;
  #socket: Socket | undefined;
  #answer = "";
  #waiting: PromiseWithResolvers<void> | undefined;

  private constructor(address: string, request: Buffer, body: string) {
    this.#address = address;
    this.#request = request;
    this.#body = body;
  }

  static async open(address: string, request: Buffer, body: string): Promise<HttpConnection> {
    const connection = new HttpConnection(address, request, body);
    await connection.#connect();
    return connection;
  }

  /** Sends the request and resolves with the whole answer read. Connects again where the server has closed what was idle. */
  request(): Promise<void> {
    if (this.#socket?.writable !== true) return this.#connect().then(() => this.request());
    this.#waiting = Promise.withResolvers();
    this.#answer = "";
    this.#socket.write(this.#request);
    return this.#waiting.promise;
  }

  async #connect(): Promise<void> {
    const [host, port] = this.#address.split(":");
    const socket = connect({ host, port: Number(port), noDelay: true });
    await once(socket, "connect");
    socket.setEncoding("latin1").on("data", (text: string) => this.#take(text));
    socket.on("error", (error) => this.#waiting?.reject(error));
    socket.on("close", () => this.#waiting?.reject(new Error("the server closed the connection")));
    this.#socket = socket;
  }

  #take(text: string): void {
    this.#answer += text;
    const headEnd = this.#answer.indexOf("\r\n\r\n");
    if (headEnd < 0) return;
    const length = Number(/\r\nContent-Length: (\d+)\r\n/i.exec(this.#answer)?.[1]);
    if (this.#answer.length < headEnd + 4 + length) return;
    if (this.#answer.startsWith("HTTP/1.1 200 ") && this.#answer.endsWith(this.#body)) this.#waiting?.resolve();
    else this.#waiting?.reject(new Error(`a wrong answer: ${this.#answer}`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#waiting = undefined;
    this.#socket?.destroy();
  }
}

/** The bytes of an HTTP/1.1 request; with a body it is a POST of JSON. */
export function httpRequest(path: string, headers: Readonly<Record<string, string>>, body?: string): Buffer {
  const all = {
    Host: "127.0.0.1",
    ...headers,
    ...(body !== undefined && {
      "Content-Type": "application/json",
      "Content-Length": String(Buffer.byteLength(body)),
    }),
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`${body === undefined ? "GET" : "POST"} ${path} HTTP/1.1\r\n${lines.join("")}\r\n${body ?? ""}`);
}
