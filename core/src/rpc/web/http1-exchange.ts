import type { IncomingMessage, ServerResponse } from "node:http";
import type { CallStream } from "../call-stream.ts";
import { prefixOf } from "../http2/frame-writer.ts";
import type { Limits } from "../http2/limits.ts";
import { ErrorCode, Prefix } from "../http2/protocol.ts";
import type { StreamClose, StreamEvents } from "../http2/stream.ts";

/** A piece of a body given to the socket at once: a slow reader is told from one that doesn't read by what is written piece by piece. */
const pieceBytes = 64 * 1024;
/** What is still read of a request that has been answered, so that the caller gets to read the answer. */
const maxIgnoredBytes = 1024 * 1024;

/** A request and its answer over HTTP/1.1, carrying one call. */
export class Http1Exchange implements CallStream {
  readonly connection: { readonly limits: Limits; assemblyBytes: number };
  isClosed = false;
  /** Set when the server is shutting down: the connection ends with this answer. */
  isLast = false;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  #events: StreamEvents | undefined;
  #unconsumed = 0;
  #ignored = 0;
  #queue: Uint8Array[] = [];
  #isFull = false;
  #isEnding = false;
  #isCorked = false;

  constructor(request: IncomingMessage, response: ServerResponse, limits: Limits) {
    this.#request = request;
    this.#response = response;
    this.connection = { limits, assemblyBytes: 0 };
  }

  /** Tells the call what comes from here on. */
  carry(events: StreamEvents): void {
    this.#events = events;
    const request = this.#request;
    const response = this.#response;
    request.on("data", (chunk: Buffer) => this.#onData(chunk, events));
    request.on("end", () => events.onEnd(undefined));
    // Told by the response's close.
    request.on("error", () => {});
    response.on("error", () => {});
    response.on("drain", () => this.#onDrain());
    response.on("close", () => this.#onClose());
  }

  /** Whether the answer has been given to the socket whole. */
  get isAnswered(): boolean {
    return this.#response.writableEnded;
  }

  #onData(chunk: Buffer, events: StreamEvents): void {
    if (this.isClosed) {
      this.#ignore(chunk.length);
      return;
    }
    this.#unconsumed += chunk.length;
    if (this.#unconsumed >= this.connection.limits.streamWindowBytes) this.#request.pause();
    events.onData(chunk, 0, chunk.length);
  }

  #ignore(bytes: number): void {
    this.#ignored += bytes;
    if (this.#ignored > maxIgnoredBytes) this.#request.socket.destroy();
  }

  consumed(bytes: number): void {
    this.#unconsumed = Math.max(0, this.#unconsumed - bytes);
    if (this.#unconsumed <= this.connection.limits.streamWindowBytes / 2 && this.#request.isPaused())
      this.#request.resume();
  }

  sendHeaders(fields: readonly string[], isEnd: boolean): void {
    if (this.isClosed || this.#response.headersSent) return;
    const headers = fields.slice(2);
    if (isEnd && !headers.includes("content-length")) headers.push("content-length", "0");
    if (this.isLast) headers.push("connection", "close");
    this.#cork();
    this.#response.writeHead(Number(fields[1]), headers);
    if (isEnd) this.#end();
    else this.#response.flushHeaders();
  }

  /** Headers, message and end that are there in one turn of the event loop go out in one write. */
  #cork(): void {
    const { socket } = this.#response;
    if (this.#isCorked || socket === null) return;
    this.#isCorked = true;
    socket.cork();
    setImmediate(() => {
      this.#isCorked = false;
      socket.uncork();
    });
  }

  write(prefix: Prefix, body: Uint8Array, isEnd: boolean): boolean {
    if (this.isClosed || this.#isEnding) return true;
    this.#cork();
    if (prefix !== Prefix.none) this.#queue.push(prefixOf(prefix, body.length));
    for (let at = 0; at < body.length; at += pieceBytes) this.#queue.push(body.subarray(at, at + pieceBytes));
    this.#isEnding = isEnd;
    this.#pump();
    return this.#queue.length === 0 && !this.#isFull;
  }

  #pump(): void {
    while (!this.#isFull) {
      const piece = this.#queue.shift();
      if (piece === undefined) break;
      this.#isFull = !this.#response.write(piece);
    }
    if (this.#queue.length === 0 && this.#isEnding) this.#end();
  }

  #onDrain(): void {
    this.#isFull = false;
    this.#pump();
    if (!this.#isFull && !this.isClosed) this.#events?.onWritable();
  }

  /** HTTP/1.1 has trailers too, but whoever calls over it in gRPC-Web doesn't read them: its framing puts them into the body. */
  sendTrailers(): void {
    this.write(Prefix.none, nothing, true);
  }

  #end(): void {
    this.isClosed = true;
    this.#queue = [];
    this.#response.end();
    // What the caller still sends is let through to nobody.
    this.#request.resume();
  }

  #onClose(): void {
    const isWhole = this.isClosed;
    this.isClosed = true;
    this.#queue = [];
    this.#events?.onClose(isWhole ? undefined : gone);
  }
}

const nothing = new Uint8Array(0);

const gone: StreamClose = {
  code: ErrorCode.cancel,
  message: "the connection was closed",
  isRemote: true,
  isConnectionLost: true,
  isUnprocessed: false,
};
