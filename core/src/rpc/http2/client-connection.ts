import type { Socket } from "node:net";
import { Connection, type ConnectionOptions } from "./connection.ts";
import { limitsText } from "./limits.ts";
import { readResponse, trailersProblem } from "./message-head.ts";
import { ErrorCode, errorName, maxStreamId, preface, Setting } from "./protocol.ts";
import type { ReceivedHeaders } from "./receiver.ts";
import { Stream, type StreamEvents } from "./stream.ts";

export interface ClientConnectionOptions extends ConnectionOptions {
  /** A connection that carried no call for so long is closed. */
  readonly idleMs: number;
  /** There may be room for another stream; told first when the server has sent its SETTINGS. */
  onRoom(connection: ClientConnection): void;
  /** The server says that it is asked too often whether it is there. */
  onTooManyPings(): void;
  onLost(connection: ClientConnection, message: string, error: Error | undefined): void;
}

/** The client's side of a connection. */
export class ClientConnection extends Connection {
  readonly isServer = false;
  readonly #options: ClientConnectionOptions;
  /** The server has answered a call. */
  hasAnswered = false;
  #nextId = 1;
  #idSweptLast = 1;
  #idleSinceMs = Date.now();

  constructor(socket: Socket, options: ClientConnectionOptions) {
    super(socket, options);
    this.#options = options;
    const { output } = this;
    output.reserve(preface.length);
    preface.copy(output.slab, output.used);
    output.used += preface.length;
    this.start([Setting.enablePush, 0]);
  }

  /** How many more streams the server takes now. Only to be asked once it has sent its SETTINGS. */
  get room(): number {
    return this.isDraining ? 0 : this.peer.maxConcurrentStreams - this.streams.size;
  }

  override receive(chunk: Buffer): void {
    const found = this.isReady ? undefined : otherProtocol(chunk);
    if (found === undefined) super.receive(chunk);
    else this.destroy(found);
  }

  /** Opens a stream with a request. The caller has looked at `room`. */
  request(fields: readonly string[], events: StreamEvents): Stream {
    const id = this.#nextId;
    this.#nextId += 2;
    const stream = new Stream(this, id, this.peer.initialWindowSize, this.limits.streamWindowBytes, events);
    this.streams.add(stream);
    stream.sendHeaders(fields, false);
    if (this.#nextId > maxStreamId) this.isDraining = true;
    return stream;
  }

  isIdleStream(streamId: number): boolean {
    return streamId >= this.#nextId || streamId % 2 === 0;
  }

  onHeaders({ streamId, fields, malformed, isEnd }: ReceivedHeaders): void {
    const stream = this.streams.get(streamId);
    if (stream === undefined) {
      this.fail(ErrorCode.protocolError, `HEADERS on stream ${streamId}, which is idle`);
    } else if (fields === undefined) {
      const limit = limitsText(this.limits, "maxHeaderListBytes", "maxHeaderFields");
      stream.reset(ErrorCode.protocolError, `the server's metadata is too large ${limit}`);
    } else if (malformed !== undefined) {
      stream.reset(ErrorCode.protocolError, `malformed response: ${malformed}`);
    } else if (stream.hasHeaders) this.#onTrailers(stream, fields, isEnd);
    else this.#onResponse(stream, fields, isEnd);
  }

  #onResponse(stream: Stream, fields: string[], isEnd: boolean): void {
    const head = readResponse(fields);
    if (typeof head === "string") {
      stream.reset(ErrorCode.protocolError, `malformed response: ${head}`);
      return;
    }
    if (head.status < 200) {
      this.idle();
      if (isEnd || head.status === 101)
        stream.reset(ErrorCode.protocolError, `malformed response: status ${head.status}`);
      return;
    }
    this.usefulFrames++;
    stream.hasHeaders = true;
    this.hasAnswered = true;
    stream.expectedBytes = head.contentLength;
    if (isEnd && head.contentLength) {
      stream.reset(ErrorCode.protocolError, "malformed response: a body is announced and missing");
      return;
    }
    stream.events.onHeaders(fields, isEnd);
    if (isEnd && !stream.isClosed) stream.remoteEnd(undefined);
  }

  #onTrailers(stream: Stream, fields: string[], isEnd: boolean): void {
    const isShort = stream.expectedBytes !== undefined && stream.expectedBytes > 0;
    const ofBody = isShort ? "the body's length differs from content-length" : undefined;
    const problem = isEnd ? (trailersProblem(fields) ?? ofBody) : "trailers without END_STREAM";
    if (problem !== undefined) stream.reset(ErrorCode.protocolError, `malformed response: ${problem}`);
    else stream.remoteEnd(fields);
  }

  /** A client waits for its answer. */
  onLocalEnd(): void {}

  /** Streams above the last one taken were not worked on: they may be tried again (RFC 9113 §6.8). */
  onGoaway(lastStreamId: number, code: number, message: string): void {
    const text = `the server is going away (${errorName(code)}${message ? `: ${message}` : ""})`;
    if (code === ErrorCode.enhanceYourCalm && message === "too_many_pings") this.#options.onTooManyPings();
    for (const stream of this.streams.values()) {
      if (stream.id <= lastStreamId) continue;
      stream.close({ code, message: text, isRemote: true, isConnectionLost: false, isUnprocessed: true });
    }
    this.onRoom();
  }

  onRoom(): void {
    this.#options.onRoom(this);
    if (this.isDraining && this.streams.size === 0) this.end("the connection is no longer used");
  }

  protected onLost(message: string, error: Error | undefined): void {
    this.#options.onLost(this, message, error);
  }

  override onSweep(nowMs: number): void {
    super.onSweep(nowMs);
    if (this.streams.size > 0 || this.#nextId !== this.#idSweptLast) {
      this.#idSweptLast = this.#nextId;
      this.#idleSinceMs = nowMs;
    } else if (this.isReady && nowMs - this.#idleSinceMs >= this.#options.idleMs && !this.isClosed) {
      this.goaway(ErrorCode.noError, "no calls");
      this.end("nobody called for a while");
    }
  }
}

/** What the server speaks when its first bytes aren't HTTP/2 (RFC 9112 §4, RFC 8446 §5.1). */
function otherProtocol(chunk: Buffer): string | undefined {
  if (chunk.toString("latin1", 0, 5) === "HTTP/") return "the server speaks HTTP/1, not HTTP/2: it isn't a gRPC server";
  if (chunk[0] === 21 && chunk[1] === 3) return "the server wants TLS: write the address as https://host:port";
  return undefined;
}
