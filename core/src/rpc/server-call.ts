import { GrpcStatus, MicroError } from "../errors.ts";
import type { Metadata } from "../metadata.ts";
import { metadataOf, metadatumOf, type RequestFields, responseFields, trailerFields } from "./call-fields.ts";
import type { CallStream, RawSink } from "./call-stream.ts";
import { compress, encodingOf } from "./compression.ts";
import { deadlines, type Timed } from "./deadline-wheel.ts";
import type { RequestHead } from "./http2/message-head.ts";
import { ErrorCode, Prefix } from "./http2/protocol.ts";
import type { StreamClose, StreamEvents } from "./http2/stream.ts";
import { MessageQueue } from "./message-queue.ts";
import { soleMessage } from "./message-reader.ts";
import { RequestIterator } from "./request-iterator.ts";
import { finding, okStatus, statusOf } from "./status.ts";
import { accepted, type CallHandler, type ServerCall, type Status } from "./transport.ts";

/** One call on a stream (gRPC over HTTP/2), or on what looks like one: gRPC-Web is framed below. */
export class Http2ServerCall implements ServerCall, StreamEvents, Timed {
  readonly path: string;
  readonly contentType: string;
  readonly deadline: Date | undefined;
  readonly stream: CallStream;
  /** The request's fields: pseudo-headers, then from `fieldsFrom` the others. */
  readonly fields: readonly string[];
  readonly fieldsFrom: number;
  wheelNext: Timed | undefined = undefined;
  wheelPrevious: Timed | undefined = undefined;
  wheelDue = 0;
  readonly #known: RequestFields;
  readonly #maxBytes: number;
  readonly #peer: string;
  #metadata: Metadata | undefined;
  #messages: MessageQueue | undefined;
  /** DATA that came before anybody asked for messages or frames: the first piece, then bytes, start, end, bytes, start, end … */
  #early: Buffer | undefined;
  #earlyStart = 0;
  #earlyEnd = 0;
  #moreEarly: (Buffer | number)[] | undefined;
  /** The whole request was one message, which has been read. */
  #isRead = false;
  #raw: RawSink | undefined;
  #isRequestEnded = false;
  #areHeadersSent = false;
  #isOver = false;
  #failure: unknown;
  /** How the caller went away; its error is made when somebody looks, since it costs more than all the rest of a call that is reset. */
  #goneBy: StreamClose | "in order" | undefined;
  #controller: AbortController | undefined;
  #iterator: AsyncIterableIterator<Uint8Array> | undefined;
  #isCompressing = false;
  #announcesGzip = false;
  /** Messages being compressed: what is sent behind them waits. */
  #sending: Promise<unknown> | undefined;
  #drained: { resolve(): void; readonly promise: Promise<void> } | undefined;

  constructor(
    stream: CallStream,
    head: RequestHead,
    fields: string[],
    contentType: string,
    known: RequestFields,
    maxBytes: number,
    peer: string,
  ) {
    this.stream = stream;
    this.path = head.path;
    this.fields = fields;
    this.fieldsFrom = head.fieldsFrom;
    this.contentType = contentType;
    this.#known = known;
    this.#maxBytes = maxBytes;
    this.#peer = peer;
    const { timeoutMs } = known;
    this.deadline = timeoutMs === undefined ? undefined : new Date(Date.now() + timeoutMs);
    if (timeoutMs !== undefined) deadlines.add(this, timeoutMs);
  }

  get metadata(): Metadata {
    this.#metadata ??= metadataOf(this.fields, this.fieldsFrom);
    return this.#metadata;
  }

  metadatum(key: string): string | undefined {
    return this.#metadata === undefined ? metadatumOf(this.fields, this.fieldsFrom, key) : this.#metadata[key];
  }

  get peer(): string {
    return this.#peer;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#isFailed) this.#controller.abort(this.#reason());
    }
    return this.#controller.signal;
  }

  /** Whether the call ended before its handler did. */
  get #isFailed(): boolean {
    return this.#failure !== undefined || this.#goneBy !== undefined;
  }

  #reason(): unknown {
    if (this.#failure === undefined && this.#goneBy !== undefined) this.#failure = gone(this.#goneBy);
    return this.#failure;
  }

  get isCompressed(): boolean {
    return this.#messages?.isCompressed ?? false;
  }

  /**
   * Runs the handler, unless the call is over by now, and ends the call with what it says. `onDone` is called when the handler has
   * returned.
   */
  run(handler: CallHandler, onDone: () => void): void {
    if (this.#isOver) {
      onDone();
      return;
    }
    let answer: Promise<void> | void;
    try {
      answer = handler(this);
    } catch (error) {
      onDone();
      this.#finish(statusOf(error, this.#id()));
      return;
    }
    if (answer === undefined) {
      onDone();
      this.#finish(okStatus);
      return;
    }
    answer.then(
      () => {
        onDone();
        this.#finish(okStatus);
      },
      (error: unknown) => {
        onDone();
        this.#finish(statusOf(error, this.#id()));
      },
    );
  }

  /** `service.Handler.Method`: the error id of what the call itself finds wrong. */
  #id(): string {
    return this.path.slice(1).replace("/", ".");
  }

  read(): Uint8Array | undefined | Promise<Uint8Array | undefined> {
    if (this.#isRead) return this.#isFailed ? Promise.reject(this.#reason()) : undefined;
    if (this.#messages === undefined) {
      const sole = this.#takeSole();
      if (sole !== undefined) return sole;
    }
    return (this.#messages ?? this.#openMessages()).read();
  }

  /** The request's only message, when it is here and whole: no queue is made for it. */
  #takeSole(): Uint8Array | undefined {
    const early = this.#early;
    if (early === undefined || !this.#isRequestEnded || this.#moreEarly !== undefined || this.#isFailed) return;
    const sole = soleMessage(early, this.#earlyStart, this.#earlyEnd, this.#maxBytes);
    if (sole === undefined) return;
    encodingOf(this.#known.encoding);
    this.#early = undefined;
    this.#isRead = true;
    this.stream.consumed(this.#earlyEnd - this.#earlyStart);
    return sole;
  }

  /** Hands on what came early, with whether it is the last of the request. */
  #eachEarly(take: (bytes: Buffer, start: number, end: number, isEnd: boolean) => void): void {
    const early = this.#early;
    const more = this.#moreEarly ?? [];
    this.#early = this.#moreEarly = undefined;
    if (early === undefined) return;
    const isEnded = this.#isRequestEnded;
    take(early, this.#earlyStart, this.#earlyEnd, isEnded && more.length === 0);
    for (let n = 0; n < more.length; n += 3)
      take(more[n] as Buffer, more[n + 1] as number, more[n + 2] as number, isEnded && n + 3 === more.length);
  }

  #openMessages(): MessageQueue {
    const messages = new MessageQueue(this.stream, this.#maxBytes, encodingOf(this.#known.encoding));
    this.#messages = messages;
    this.#eachEarly((bytes, start, end) => this.#push(messages, bytes, start, end));
    if (this.#isRequestEnded) messages.end();
    if (this.#isFailed) messages.fail(this.#reason());
    return messages;
  }

  #push(messages: MessageQueue, bytes: Buffer, start: number, end: number): void {
    try {
      messages.push(bytes, start, end);
    } catch (error) {
      messages.fail(error);
      // The handler may not be reading: a message that breaks the rules ends the call all the same.
      this.#end(error);
    }
  }

  get requests(): AsyncIterableIterator<Uint8Array> {
    this.#iterator ??= new RequestIterator(this);
    return this.#iterator;
  }

  /** Whether its frames are gRPC's and nobody has read messages from them. */
  get isRaw(): boolean {
    return this.#messages === undefined && !this.#isRead;
  }

  /** Passes the request on frame by frame from here on, instead of messages. Only while `isRaw`. */
  takeRaw(sink: RawSink): void {
    this.#raw = sink;
    const isEmpty = this.#early === undefined;
    this.#eachEarly((bytes, start, end, isEnd) => sink.onData(bytes, start, end, isEnd));
    if (this.#isRequestEnded && isEmpty) sink.onEnd();
    if (this.#isOver) sink.onClose();
  }

  /** Sends response headers as they are. */
  sendRawHeaders(fields: readonly string[]): void {
    if (this.#areHeadersSent || this.#isOver) return;
    this.#areHeadersSent = true;
    this.stream.sendHeaders(fields, false);
  }

  sendHeaders(metadata: Metadata): void {
    this.sendRawHeaders(responseFields(this.contentType, metadata, this.#announcesGzip));
  }

  compress(on: boolean): void {
    if (on && !this.#announcesGzip) {
      if (this.#areHeadersSent || !/\bgzip\b/.test(this.#known.acceptEncoding ?? "")) return;
      this.#announcesGzip = true;
    }
    this.#isCompressing = on;
  }

  send(message: Uint8Array): Promise<void> {
    if (!this.#areHeadersSent) this.sendHeaders({});
    if (this.#isOver || this.stream.isClosed) return heeded(Promise.reject(gone("in order")));
    if (!this.#isCompressing && this.#sending === undefined) return this.#sendNow(message, false);
    const before = this.#sending ?? accepted;
    const bytes = this.#isCompressing ? compress(message) : message;
    const isCompressed = this.#isCompressing;
    // In an object, so that what is sent next waits for the compressor and not for the caller to read.
    const sending = before.then(async () => ({ room: this.#sendNow(await bytes, isCompressed) }));
    this.#sending = sending;
    sending.then(
      () => this.#sent(sending),
      () => this.#sent(sending),
    );
    return heeded(sending.then(({ room }) => room));
  }

  #sent(sending: Promise<unknown>): void {
    if (this.#sending === sending) this.#sending = undefined;
  }

  #sendNow(message: Uint8Array, isCompressed: boolean): Promise<void> {
    if (this.#writeMessage(message, isCompressed)) return accepted;
    if (this.#drained === undefined) this.#drained = Promise.withResolvers<void>();
    return this.#drained.promise;
  }

  /** False when it has to wait for the caller to read. */
  #writeMessage(message: Uint8Array, isCompressed: boolean): boolean {
    return this.stream.write(isCompressed ? Prefix.compressed : Prefix.plain, message, false);
  }

  #finish(status: Status): void {
    if (this.#isOver) return;
    if (this.#sending === undefined) this.#finishNow(status);
    else
      this.#sending.then(
        () => this.#finishNow(status),
        () => this.#finishNow(status),
      );
  }

  #finishNow(status: Status): void {
    if (this.#isOver) return;
    this.#isOver = true;
    deadlines.remove(this);
    this.#writeStatus(status, this.#areHeadersSent);
    this.#messages?.clear();
  }

  /** Ends the stream with the status: in trailers, or in headers when the call failed before any were sent. */
  #writeStatus(status: Status, areHeadersSent: boolean): void {
    const trailers = trailerFields(status);
    if (areHeadersSent) this.stream.sendTrailers(trailers);
    else if (status.code !== GrpcStatus.ok)
      this.stream.sendHeaders([":status", "200", "content-type", this.contentType, ...trailers], true);
    else {
      this.stream.sendHeaders(responseFields(this.contentType, {}, false), false);
      this.stream.sendTrailers(trailers);
    }
  }

  /** Ends the call with a status that came as it is from another server. */
  finishRaw(trailers: readonly string[]): void {
    if (this.#isOver) return;
    this.#isOver = true;
    deadlines.remove(this);
    if (this.#areHeadersSent) this.stream.sendTrailers(trailers);
    else this.stream.sendHeaders(trailers, true);
  }

  /** Ends the call whatever its handler does, and tells the handler by the signal. */
  #end(reason: unknown): void {
    if (this.#isOver) return;
    this.#failure = reason;
    this.#finish(statusOf(reason, this.#id()));
    this.#controller?.abort(reason);
    this.#raw?.onClose();
  }

  /** The request can't be read any further: ends the call with the reason. */
  fail(reason: unknown): void {
    this.#messages?.fail(reason);
    this.#end(reason);
  }

  onDeadline(): void {
    if (this.#isOver) return;
    const reason = new DOMException("the deadline passed", "TimeoutError");
    this.#failure = reason;
    this.#messages?.fail(reason);
    this.#finish(deadlineStatus);
    this.#controller?.abort(reason);
    this.#raw?.onClose();
  }

  onHeaders(): void {}

  onData(bytes: Buffer, start: number, end: number): void {
    if (this.#isOver) this.stream.consumed(end - start);
    else if (this.#raw !== undefined) this.#raw.onData(bytes, start, end, false);
    else if (this.#messages !== undefined) this.#push(this.#messages, bytes, start, end);
    else this.#keepEarly(bytes, start, end);
  }

  #keepEarly(bytes: Buffer, start: number, end: number): void {
    if (this.#early === undefined) {
      this.#early = bytes;
      this.#earlyStart = start;
      this.#earlyEnd = end;
    } else if (this.#moreEarly === undefined) this.#moreEarly = [bytes, start, end];
    else this.#moreEarly.push(bytes, start, end);
  }

  onEnd(): void {
    this.#isRequestEnded = true;
    if (this.#raw !== undefined) this.#raw.onEnd();
    else this.#messages?.end();
  }

  onWritable(): void {
    this.#drained?.resolve();
    this.#drained = undefined;
    this.#raw?.onWritable();
  }

  onClose(close: StreamClose | undefined): void {
    deadlines.remove(this);
    this.#early = this.#moreEarly = undefined;
    this.#drained?.resolve();
    this.#drained = undefined;
    if (this.#isOver) {
      if (this.#raw !== undefined) this.#raw.onClose();
      return;
    }
    this.#isOver = true;
    this.#goneBy = close ?? "in order";
    this.#messages?.fail(this.#reason());
    this.#controller?.abort(this.#reason());
    this.#raw?.onClose();
  }
}

const { status: deadlineStatus } = finding(MicroError.timeout("go.micro.server", "the deadline passed"));

function gone(close: StreamClose | "in order"): Error {
  return new DOMException(
    close === "in order" || close.code === ErrorCode.cancel
      ? "the caller went away"
      : `the caller went away: ${close.message}`,
    "AbortError",
  );
}

/** The promise, which nobody has to look at. */
function heeded<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}
