import { GrpcStatus } from "../errors.ts";
import { fieldOf, metadataOf, statusOfFields } from "./call-fields.ts";
import { deadlinePassed, notGrpc, statusOfAbort, statusOfClose } from "./call-status.ts";
import { compress, decompress, encodingOf } from "./compression.ts";
import { deadlines, type Timed } from "./deadline-wheel.ts";
import { ErrorCode, Prefix } from "./http2/protocol.ts";
import type { StreamClose } from "./http2/stream.ts";
import { MessageReader, type MessageSink, soleMessage } from "./message-reader.ts";
import { Outgoing, type StreamSource } from "./outgoing.ts";
import { okStatus } from "./status.ts";
import { type CallStart, type Status, StatusError } from "./transport.ts";

/** A unary call: one message each way, and nothing made for more. */
export class UnaryCall extends Outgoing implements Timed, MessageSink {
  wheelNext: Timed | undefined = undefined;
  wheelPrevious: Timed | undefined = undefined;
  wheelDue = 0;
  readonly #address: string;
  readonly #start: CallStart;
  readonly #signal: AbortSignal | undefined;
  readonly #maxBytes: number;
  readonly #errorOf: (status: Status) => Error;
  #onAbort: (() => void) | undefined;
  #resolve: (message: Uint8Array) => void = never;
  #reject: (reason: unknown) => void = never;
  #reader: MessageReader | undefined;
  #reply: Uint8Array | undefined;
  #isReplyCompressed = false;
  #replies = 0;
  #response: readonly string[] | undefined;
  #isTrailersOnly = false;
  #status: Status = okStatus;
  #isSettled = false;
  /** The status has come, and the reply is being decompressed. */
  #isEnding = false;

  constructor(
    source: StreamSource,
    fields: readonly string[],
    address: string,
    start: CallStart,
    signal: AbortSignal | undefined,
    maxBytes: number,
    errorOf: (status: Status) => Error,
  ) {
    super(source, fields, start.waitForReady === true);
    this.#address = address;
    this.#start = start;
    this.#signal = signal;
    this.#maxBytes = maxBytes;
    this.#errorOf = errorOf;
  }

  run(request: Uint8Array): Promise<Uint8Array> {
    const { deadline, compress: isCompressed } = this.#start;
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      if (this.#signal !== undefined && !this.#listen(this.#signal)) return;
      if (deadline !== undefined) deadlines.add(this, deadline.getTime() - Date.now());
      if (isCompressed === true) this.#sendCompressed(request);
      else this.#send(request, false);
    });
  }

  #send(request: Uint8Array, isCompressed: boolean): void {
    if (this.#isSettled) return;
    this.open();
    this.write(isCompressed ? Prefix.compressed : Prefix.plain, request, true);
  }

  #sendCompressed(request: Uint8Array): void {
    compress(request).then(
      (bytes) => this.#send(bytes, true),
      (error) => this.#fail({ code: GrpcStatus.internal, message: String(error), trailers: {} }),
    );
  }

  /** False when the signal has aborted already. */
  #listen(signal: AbortSignal): boolean {
    if (signal.aborted) {
      this.#fail(statusOfAbort(signal));
      return false;
    }
    this.#onAbort = () => this.#fail(statusOfAbort(signal));
    signal.addEventListener("abort", this.#onAbort, { once: true });
    return true;
  }

  protected onResponse(fields: string[], isEnd: boolean): void {
    this.#response = fields;
    this.#isTrailersOnly = isEnd;
    const problem = notGrpc(fields, isEnd, this.#address, this.#start.contentType);
    if (problem !== undefined) this.#fail(problem);
  }

  onData(bytes: Buffer, start: number, end: number): void {
    this.consumed(end - start);
    const sole = this.#reader === undefined ? soleMessage(bytes, start, end, this.#maxBytes) : undefined;
    if (sole !== undefined) {
      this.onMessage(sole, false);
      return;
    }
    try {
      this.#reader ??= new MessageReader(this.#maxBytes, this);
      this.#reader.push(bytes, start, end);
    } catch (error) {
      if (error instanceof StatusError) this.#fail(error.status);
    }
  }

  onMessage(message: Uint8Array, isCompressed: boolean): void {
    this.#replies++;
    this.#reply = message;
    this.#isReplyCompressed = isCompressed;
  }

  onEnd(trailers: string[] | undefined): void {
    if (this.#isSettled) return;
    const fields = trailers ?? (this.#isTrailersOnly ? this.#response : undefined) ?? [];
    const status = statusOfFields(fields) ?? statusOfClose(undefined, this.#address);
    this.#status = status;
    if (status.code !== GrpcStatus.ok) this.#fail(status);
    else if (this.#reader?.isInsideMessage) this.#fail(internal("the stream ended inside a message"));
    else if (this.#reply === undefined || this.#replies !== 1)
      // A cardinality violation (gRPC statuscodes.md).
      this.#fail({
        code: GrpcStatus.unimplemented,
        message: `the call ended with ${this.#replies === 0 ? "no reply" : `${this.#replies} replies`}, and it has one`,
        trailers: {},
      });
    else if (this.#isReplyCompressed) this.#decompress(this.#reply);
    else this.#succeed(this.#reply);
  }

  #decompress(reply: Uint8Array): void {
    try {
      if (encodingOf(fieldOf(this.#response ?? [], "grpc-encoding")) === "identity")
        throw new StatusError(internal("the reply is compressed and its grpc-encoding is identity"));
    } catch (error) {
      // An encoding that wasn't offered is the server's mistake (gRPC compression.md).
      this.#fail(internal((error as Error).message));
      return;
    }
    this.#isEnding = true;
    decompress(reply, this.#maxBytes).then(
      (bytes) => this.#succeed(bytes),
      (error) => this.#fail(error instanceof StatusError ? error.status : internal(String(error))),
    );
  }

  #succeed(reply: Uint8Array): void {
    if (!this.#settle(this.#status)) return;
    this.#resolve(reply);
  }

  #fail(status: Status): void {
    if (!this.#settle(status)) return;
    this.#reject(this.#errorOf(status));
  }

  /** Lets go of everything; false when that has happened before. */
  #settle(status: Status): boolean {
    if (this.#isSettled) return false;
    this.#isSettled = true;
    this.#start.onEnd?.(this.#isTrailersOnly ? {} : metadataOf(this.#response ?? []), status);
    deadlines.remove(this);
    if (this.#onAbort !== undefined) this.#signal?.removeEventListener("abort", this.#onAbort);
    this.abandon(ErrorCode.cancel);
    return true;
  }

  onDeadline(): void {
    this.#fail(deadlinePassed);
  }

  onWritable(): void {}

  protected onOver(close: StreamClose | undefined): void {
    if (!this.#isEnding) this.#fail(statusOfClose(close, this.#address, this.#start.deadline));
  }
}

function never(): void {}

function internal(message: string): Status {
  return { code: GrpcStatus.internal, message, trailers: {} };
}
