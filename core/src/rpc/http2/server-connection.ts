import type { Socket } from "node:net";
import { Connection, type ConnectionOptions } from "./connection.ts";
import { limitsText } from "./limits.ts";
import { type RequestHead, readRequest, trailersProblem } from "./message-head.ts";
import { ConnectionError, ErrorCode, maxStreamId, preface, Setting } from "./protocol.ts";
import type { ReceivedHeaders } from "./receiver.ts";
import { Stream, type StreamEvents } from "./stream.ts";

export interface ServerConnectionOptions extends ConnectionOptions {
  /** A request came; gives what the stream's events go to. Must not throw. */
  onRequest(stream: Stream, head: RequestHead, fields: string[]): StreamEvents;
  /** The chunk from the socket is worked through: what was put off until then may be done. */
  onTurnEnd(): void;
  /** The connection is ended because of what the client did; `code` is one of RFC 9113 §7. */
  onFailed(code: number, message: string): void;
  onLost(connection: ServerConnection): void;
}

/** Streams that a client skipped, remembered to tell them from closed ones. */
const rememberedSkips = 256;

/** The server's side of a connection. */
export class ServerConnection extends Connection {
  readonly isServer = true;
  /** Calls whose handler hasn't returned, reset ones included: a client that resets its calls opens no more than others may. */
  running = 0;
  readonly #options: ServerConnectionOptions;
  readonly #skipped = new Set<number>();
  #prefaceMatched = 0;

  constructor(socket: Socket, options: ServerConnectionOptions) {
    super(socket, options);
    this.#options = options;
    this.start([Setting.maxConcurrentStreams, this.limits.maxConcurrentStreams]);
    this.output.open();
  }

  get calls(): number {
    return Math.max(this.streams.size, this.running);
  }

  override receive(chunk: Buffer): void {
    const from = this.#skipPreface(chunk);
    if (from < 0) return;
    super.receive(from === 0 ? chunk : chunk.subarray(from));
    this.#options.onTurnEnd();
  }

  /** How much of the chunk is the preface (RFC 9113 §3.4); -1 when there is nothing behind it or it is wrong. */
  #skipPreface(chunk: Buffer): number {
    if (this.#prefaceMatched === preface.length) return 0;
    const length = Math.min(preface.length - this.#prefaceMatched, chunk.length);
    if (chunk.compare(preface, this.#prefaceMatched, this.#prefaceMatched + length, 0, length) !== 0) {
      this.fail(ErrorCode.protocolError, "not an HTTP/2 connection preface");
      return -1;
    }
    this.#prefaceMatched += length;
    return chunk.length > length ? length : -1;
  }

  isIdleStream(streamId: number): boolean {
    return streamId > this.lastPeerStreamId || streamId % 2 === 0 || this.#skipped.has(streamId);
  }

  onHeaders({ streamId, fields, malformed, isEnd }: ReceivedHeaders): void {
    const stream = this.streams.get(streamId);
    if (stream !== undefined) {
      this.#onTrailers(stream, fields, malformed, isEnd);
      return;
    }
    if (streamId % 2 === 0 || streamId <= this.lastPeerStreamId)
      throw new ConnectionError(ErrorCode.protocolError, `stream ${streamId} is not a client's next one`);
    this.#rememberSkipped(streamId);
    // After the last GOAWAY a client opens streams only because it hasn't read it: it will try them elsewhere.
    if (this.isDraining && streamId > this.#lastTaken) {
      this.idle();
      return;
    }
    this.usefulFrames++;
    this.lastPeerStreamId = streamId;
    this.#open(streamId, fields, malformed, isEnd);
  }

  #lastTaken = maxStreamId;
  #isShuttingDown = false;

  #rememberSkipped(streamId: number): void {
    for (let id = this.lastPeerStreamId + (this.lastPeerStreamId === 0 ? 1 : 2); id < streamId; id += 2) {
      if (this.#skipped.size >= rememberedSkips) return;
      this.#skipped.add(id);
    }
  }

  #open(streamId: number, fields: string[] | undefined, malformed: string | undefined, isEnd: boolean): void {
    const { limits, peer } = this;
    const stream = new Stream(this, streamId, peer.initialWindowSize, limits.streamWindowBytes, ignored);
    stream.hasHeaders = true;
    this.streams.add(stream);
    const busy = Math.max(this.streams.size, this.running + 1) > limits.maxConcurrentStreams;
    const head = malformed ?? (fields === undefined ? tooLarge : readRequest(fields));
    if (busy)
      this.resetForPeer(
        stream,
        ErrorCode.refusedStream,
        `too many calls at once ${limitsText(limits, "maxConcurrentStreams")}`,
      );
    else if (fields === undefined) this.#tooLarge(stream);
    else if (typeof head === "string") this.resetForPeer(stream, ErrorCode.protocolError, head);
    else {
      stream.expectedBytes = head.contentLength;
      if (isEnd && head.contentLength)
        this.resetForPeer(stream, ErrorCode.protocolError, "a body is announced and missing");
      else this.#begin(stream, head, fields, isEnd);
    }
  }

  #begin(stream: Stream, head: RequestHead, fields: string[], isEnd: boolean): void {
    // Known before anybody answers, so that an answer at once ends the stream in order.
    stream.isRemoteEnded = isEnd;
    stream.events = this.#options.onRequest(stream, head, fields);
    if (isEnd && !stream.isClosed) stream.remoteEnd(undefined);
  }

  #tooLarge(stream: Stream): void {
    this.countReset();
    stream.sendHeaders(
      [
        ":status",
        "431",
        "grpc-status",
        "8",
        "grpc-message",
        `the metadata is too large: send less ${limitsText(this.limits, "maxHeaderListBytes", "maxHeaderFields")}`,
      ],
      true,
    );
  }

  #onTrailers(stream: Stream, fields: string[] | undefined, malformed: string | undefined, isEnd: boolean): void {
    const problem = malformed ?? (fields === undefined ? tooLarge : trailersProblem(fields));
    if (problem !== undefined) this.resetForPeer(stream, ErrorCode.protocolError, problem);
    else if (!isEnd) this.resetForPeer(stream, ErrorCode.protocolError, "trailers without END_STREAM");
    else if (stream.expectedBytes !== undefined && stream.expectedBytes > 0)
      this.resetForPeer(stream, ErrorCode.protocolError, "the body's length differs from content-length");
    else stream.remoteEnd(fields);
  }

  /** A server that has said everything doesn't wait for the rest of a request (RFC 9113 §8.1). */
  onLocalEnd(stream: Stream): void {
    stream.reset(ErrorCode.noError);
  }

  /**
   * Lets running calls finish and takes no more (RFC 9113 §6.8): warns the client first, and names the last call taken once it has surely
   * read the warning. Closes the connection when the last call is over.
   */
  drain(): void {
    if (this.#isShuttingDown) return;
    this.#isShuttingDown = true;
    this.goaway(ErrorCode.noError, "the server is shutting down", maxStreamId);
    const last = () => {
      if (this.isClosed) return;
      this.#lastTaken = this.lastPeerStreamId;
      this.goaway(ErrorCode.noError, "the server is shutting down");
      this.onRoom();
    };
    this.keepalive.ask(last);
    // A client that doesn't answer gets no more time than this.
    setTimeout(last, 1000).unref();
  }

  onGoaway(): void {
    this.onRoom();
  }

  onRoom(): void {
    if (this.isDraining && this.streams.size === 0 && !this.isClosed && this.#lastTaken !== maxStreamId)
      this.end("the server is shutting down");
  }

  protected override onFailed(code: number, message: string): void {
    this.#options.onFailed(code, message);
  }

  protected onLost(): void {
    this.#options.onLost(this);
  }
}

const tooLarge = "the header list is too large";

const ignored: StreamEvents = {
  onHeaders() {},
  onData() {},
  onEnd() {},
  onWritable() {},
  onClose() {},
};
