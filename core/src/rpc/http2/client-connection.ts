import type { Socket } from "node:net";
import { Connection, type ConnectionOptions } from "./connection.ts";
import { readResponse, trailersProblem } from "./message-head.ts";
import { ErrorCode, errorName, maxStreamId, preface, Setting } from "./protocol.ts";
import type { ReceivedHeaders } from "./receiver.ts";
import { Stream, type StreamEvents } from "./stream.ts";

export interface ClientConnectionOptions extends ConnectionOptions {
  /** There may be room for another stream. */
  onRoom(connection: ClientConnection): void;
  onLost(connection: ClientConnection, message: string, error: Error | undefined): void;
}

/** Streams opened before the server has said how many it takes. */
const beforeSettings = 100;

/** The client's side of a connection. */
export class ClientConnection extends Connection {
  readonly isServer = false;
  readonly #options: ClientConnectionOptions;
  #nextId = 1;

  constructor(socket: Socket, options: ClientConnectionOptions) {
    super(socket, options);
    this.#options = options;
    const { output } = this;
    output.reserve(preface.length);
    preface.copy(output.slab, output.used);
    output.used += preface.length;
    this.start([Setting.enablePush, 0]);
  }

  /** How many more streams the server takes now. */
  get room(): number {
    if (this.isDraining || this.#nextId > maxStreamId) return 0;
    return (this.isReady ? this.peer.maxConcurrentStreams : beforeSettings) - this.streams.size;
  }

  /** Opens a stream with a request. The caller has looked at `room`. */
  request(fields: readonly string[], events: StreamEvents): Stream {
    const id = this.#nextId;
    this.#nextId += 2;
    const stream = new Stream(this, id, this.peer.initialWindowSize, this.limits.streamWindowBytes, events);
    this.streams.set(id, stream);
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
      stream.reset(ErrorCode.protocolError, "the server's metadata is too large");
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
    stream.hasHeaders = true;
    stream.expectedBytes = head.contentLength;
    stream.events.onHeaders(fields, isEnd);
    if (isEnd && !stream.isClosed) stream.remoteEnd(undefined);
  }

  #onTrailers(stream: Stream, fields: string[], isEnd: boolean): void {
    const problem = isEnd ? trailersProblem(fields) : "trailers without END_STREAM";
    if (problem !== undefined) stream.reset(ErrorCode.protocolError, `malformed response: ${problem}`);
    else stream.remoteEnd(fields);
  }

  /** A client waits for its answer. */
  onLocalEnd(): void {}

  /** Streams above the last one taken were not worked on: they may be tried again (RFC 9113 §6.8). */
  onGoaway(lastStreamId: number, code: number, message: string): void {
    const text = `the server is going away (${errorName(code)}${message ? `: ${message}` : ""})`;
    if (code === ErrorCode.enhanceYourCalm && message === "too_many_pings") this.keepalive.slowDown();
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
}
