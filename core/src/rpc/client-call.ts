import { GrpcStatus } from "../errors.ts";
import type { Metadata } from "../metadata.ts";
import { fieldOf, metadataOf, statusOfFields } from "./call-fields.ts";
import { deadlinePassed, notGrpc, statusOfAbort, statusOfClose } from "./call-status.ts";
import { compress, encodingOf } from "./compression.ts";
import { deadlines, type Timed } from "./deadline-wheel.ts";
import { ErrorCode, Prefix } from "./http2/protocol.ts";
import type { Stream, StreamClose } from "./http2/stream.ts";
import { MessageQueue } from "./message-queue.ts";
import { Outgoing, type StreamSource } from "./outgoing.ts";
import { accepted, type CallStart, type ClientCall, type SendOptions, type Status, StatusError } from "./transport.ts";

/** One call of a client on an HTTP/2 stream. */
export class Http2ClientCall extends Outgoing implements ClientCall, Timed {
  readonly headers: Promise<Metadata>;
  readonly status: Promise<Status>;
  wheelNext: Timed | undefined = undefined;
  wheelPrevious: Timed | undefined = undefined;
  wheelDue = 0;
  readonly #address: string;
  readonly #start: CallStart;
  readonly #compresses: boolean;
  readonly #maxBytes: number;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort: (() => void) | undefined;
  readonly #headers = Promise.withResolvers<Metadata>();
  readonly #status = Promise.withResolvers<Status>();
  readonly #messages = Promise.withResolvers<MessageQueue | undefined>();
  #queue: MessageQueue | undefined;
  #response: readonly string[] = [];
  #trailersOnly: readonly string[] = [];
  #ended: Status | undefined;
  #sending: Promise<void> | undefined;
  #drained: { resolve(): void; readonly promise: Promise<void> } | undefined;

  constructor(
    source: StreamSource,
    fields: readonly string[],
    address: string,
    start: CallStart,
    signal: AbortSignal | undefined,
    maxBytes: number,
  ) {
    super(source, fields, start.waitForReady === true);
    this.#address = address;
    this.#start = start;
    this.#compresses = start.compress === true;
    this.#maxBytes = maxBytes;
    this.#signal = signal;
    this.headers = this.#headers.promise;
    this.status = this.#status.promise;
    this.headers.catch(() => {});
    if (signal !== undefined) {
      this.#onAbort = () => this.#end(statusOfAbort(signal));
      if (signal.aborted) {
        queueMicrotask(this.#onAbort);
        return;
      }
      signal.addEventListener("abort", this.#onAbort, { once: true });
    }
    if (start.deadline !== undefined) deadlines.add(this, start.deadline.getTime() - Date.now());
    this.open();
  }

  get isCompressed(): boolean {
    return this.#queue?.isCompressed ?? false;
  }

  send(message: Uint8Array, options?: SendOptions): Promise<void> {
    if (this.#ended !== undefined) return Promise.reject(new StatusError(this.#ended));
    const compresses = this.#compresses && (options?.compress ?? true);
    if (!compresses && this.#sending === undefined) return this.#sendNow(message, false);
    const before = this.#sending ?? accepted;
    const bytes = compresses ? compress(message) : message;
    const sending = before.then(async () => await this.#sendNow(await bytes, compresses));
    this.#sending = sending;
    const sent = () => {
      if (this.#sending === sending) this.#sending = undefined;
    };
    sending.then(sent, sent);
    return sending;
  }

  #sendNow(message: Uint8Array, isCompressed: boolean): Promise<void> {
    if (this.write(isCompressed ? Prefix.compressed : Prefix.plain, message, false, true)) return accepted;
    if (this.#drained === undefined) this.#drained = Promise.withResolvers<void>();
    return this.#drained.promise;
  }

  end(): void {
    const end = () => {
      if (this.#ended === undefined) this.write(Prefix.none, nothing, true);
    };
    if (this.#sending === undefined) end();
    else this.#sending.then(end, end);
  }

  cancel(status = statusOfAbort(undefined)): void {
    this.#end(status);
    this.#queue?.clear();
  }

  read(): Uint8Array | undefined | Promise<Uint8Array | undefined> {
    if (this.#queue !== undefined) return this.#readFrom(this.#queue);
    return this.#messages.promise.then((queue) => (queue === undefined ? undefined : this.#readFrom(queue)));
  }

  #readFrom(queue: MessageQueue): Uint8Array | undefined | Promise<Uint8Array | undefined> {
    const message = queue.read();
    return message instanceof Promise ? message.catch((error: unknown) => this.#broken(error)) : message;
  }

  /** How the call ended is told by the status; a message that breaks the rules is this side's finding. */
  #broken(error: unknown): undefined {
    if (error === ended) return;
    if (error instanceof StatusError) this.#end(error.status);
    throw error;
  }

  onDeadline(): void {
    this.#end(deadlinePassed);
  }

  onWritable(): void {
    this.#drained?.resolve();
    this.#drained = undefined;
  }

  protected onResponse(fields: string[], isEnd: boolean): void {
    const problem = notGrpc(fields, isEnd, this.#address, this.#start.contentType);
    if (problem !== undefined) {
      this.#end(problem);
      return;
    }
    if (isEnd) {
      this.#trailersOnly = fields;
      return;
    }
    this.#response = fields;
    try {
      const encoding = encodingOf(fieldOf(fields, "grpc-encoding"));
      this.#queue = new MessageQueue(this.stream as Stream, this.#maxBytes, encoding);
    } catch (error) {
      // An encoding that wasn't offered is the server's mistake (gRPC compression.md).
      this.#end({ code: GrpcStatus.internal, message: (error as Error).message, trailers: {} });
      return;
    }
    this.#messages.resolve(this.#queue);
    this.#headers.resolve(metadataOf(fields));
  }

  onData(bytes: Buffer, start: number, end: number): void {
    try {
      this.#queue?.push(bytes, start, end);
    } catch (error) {
      this.#queue?.fail(error);
      this.#end(error instanceof StatusError ? error.status : statusOfAbort(undefined));
    }
  }

  onEnd(trailers: string[] | undefined): void {
    if (this.#ended !== undefined) return;
    const status = statusOfFields(trailers ?? this.#trailersOnly) ?? statusOfClose(undefined, this.#address);
    this.#queue?.end();
    // A call that ends well without a message has headers all the same.
    if (this.#queue === undefined && status.code === GrpcStatus.ok)
      this.#headers.resolve(metadataOf(this.#trailersOnly));
    this.#end(status);
  }

  protected onOver(close: StreamClose | undefined): void {
    this.#end(statusOfClose(close, this.#address, this.#start.deadline));
  }

  #end(status: Status): void {
    if (this.#ended !== undefined) return;
    this.#ended = status;
    deadlines.remove(this);
    if (this.#onAbort !== undefined) this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#queue?.fail(ended);
    this.#messages.resolve(this.#queue);
    this.#headers.reject(new StatusError(status));
    this.#start.onEnd?.(metadataOf(this.#response), status);
    this.#status.resolve(status);
    this.onWritable();
    this.abandon(ErrorCode.cancel);
  }
}

/** What a reader meets when the call ended before its messages did. */
const ended = new Error("the call has ended");
const nothing = new Uint8Array(0);
