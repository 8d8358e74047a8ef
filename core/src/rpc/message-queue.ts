import { GrpcStatus } from "../errors.ts";
import type { CallStream } from "./call-stream.ts";
import { decompress, type Encoding } from "./compression.ts";
import { limitsText } from "./http2/limits.ts";
import { MessageReader, type MessageSink } from "./message-reader.ts";
import { StatusError } from "./transport.ts";

interface Received {
  readonly message: Uint8Array;
  readonly isCompressed: boolean;
  readonly wireBytes: number;
}

type Waiter = { resolve(message: Uint8Array | undefined): void; reject(reason: unknown): void };

/**
 * The messages that came on a stream, until they are read. What is read gives its bytes back to the stream's window, so a slow reader holds the
 * sender back; a message larger than the window is let in when nothing lies before it. Compressed ones stay so until they are read: what they
 * unfold to is up to a thousand times what the window counts.
 */
export class MessageQueue implements MessageSink {
  readonly #stream: CallStream;
  readonly #reader: MessageReader;
  readonly #maxBytes: number;
  readonly #encoding: Encoding;
  readonly #queue: Received[] = [];
  #waiter: Waiter | undefined;
  #isEnded = false;
  #failure: unknown;
  #assembling = 0;
  /** Whether the message read last came compressed. */
  isCompressed = false;

  constructor(stream: CallStream, maxBytes: number, encoding: Encoding) {
    this.#stream = stream;
    this.#maxBytes = maxBytes;
    this.#encoding = encoding;
    this.#reader = new MessageReader(maxBytes, this);
  }

  /** DATA came. Throws a StatusError when it can't be part of a message. */
  push(bytes: Buffer, start: number, end: number): void {
    this.#reader.push(bytes, start, end);
    if (this.#reader.isInsideMessage || this.#assembling > 0) this.#assemble();
  }

  /** Lets an unfinished message grow when it is the next to be read, within what the connection may hold of such. */
  #assemble(): void {
    const { connection } = this.#stream;
    const { assemblyBytes } = this.#reader;
    connection.assemblyBytes += assemblyBytes - this.#assembling;
    this.#assembling = assemblyBytes;
    if (connection.assemblyBytes > connection.limits.maxAssemblyBytes)
      throw new StatusError({
        code: GrpcStatus.resourceExhausted,
        message: `the unfinished messages of this connection are too large together ${limitsText(connection.limits, "maxAssemblyBytes")}`,
        trailers: {},
      });
    if (this.#queue.length === 0) this.#stream.consumed(this.#reader.takeHeld());
  }

  onMessage(message: Uint8Array, isCompressed: boolean, wireBytes: number): void {
    if (!isCompressed && this.#waiter !== undefined && this.#queue.length === 0) {
      const waiter = this.#waiter;
      this.#waiter = undefined;
      this.isCompressed = false;
      this.#stream.consumed(wireBytes);
      waiter.resolve(message);
      return;
    }
    if (isCompressed && this.#encoding === "identity") {
      throw new StatusError({
        code: GrpcStatus.internal,
        message: "a message is compressed and the call's grpc-encoding is identity",
        trailers: {},
      });
    }
    this.#queue.push({ message, isCompressed, wireBytes });
    if (this.#waiter !== undefined) this.#serve(this.#waiter);
  }

  #serve(waiter: Waiter): void {
    const next = this.#take();
    if (next === undefined) return;
    this.#waiter = undefined;
    if (next instanceof Promise) next.then(waiter.resolve, waiter.reject);
    else waiter.resolve(next);
  }

  #take(): Uint8Array | Promise<Uint8Array> | undefined {
    const next = this.#queue.shift();
    if (next === undefined) return undefined;
    this.isCompressed = next.isCompressed;
    const held = this.#queue.length === 0 ? this.#reader.takeHeld() : 0;
    this.#stream.consumed(next.wireBytes + held);
    return next.isCompressed ? decompress(next.message, this.#maxBytes) : next.message;
  }

  /** The next message; undefined at the end. Rejects when the call failed; what came before is read first. */
  read(): Uint8Array | undefined | Promise<Uint8Array | undefined> {
    const next = this.#take();
    if (next !== undefined) return next;
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#isEnded) return undefined;
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject };
    });
  }

  /** Whether a whole message waits to be read. */
  get hasMessage(): boolean {
    return this.#queue.length > 0;
  }

  /** The sender is done. Fails the reader when it stopped inside a message. */
  end(): void {
    if (this.#reader.isInsideMessage)
      this.fail(
        new StatusError({ code: GrpcStatus.internal, message: "the stream ended inside a message", trailers: {} }),
      );
    this.#isEnded = true;
    this.#settleAssembly();
    this.#waiter?.resolve(undefined);
    this.#waiter = undefined;
  }

  /** Nothing more comes; the reader gets what is there and then `reason`. */
  fail(reason: unknown): void {
    if (this.#isEnded || this.#failure !== undefined) return;
    this.#failure = reason;
    this.#settleAssembly();
    this.#waiter?.reject(reason);
    this.#waiter = undefined;
  }

  /** Drops what nobody will read. */
  clear(): void {
    this.#queue.length = 0;
    this.#settleAssembly();
  }

  #settleAssembly(): void {
    this.#stream.connection.assemblyBytes -= this.#assembling;
    this.#assembling = 0;
  }
}
