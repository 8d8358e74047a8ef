import type { Limits } from "./http2/limits.ts";
import type { Prefix } from "./http2/protocol.ts";

/** What a call needs of whatever carries it: a stream of HTTP/2, an exchange of HTTP/1.1, or gRPC-Web over one of these. */
export interface CallStream {
  /** What its calls share with the others of the connection. */
  readonly connection: {
    readonly limits: Limits;
    /** Bytes of messages being put together, counted by whoever does it. */
    assemblyBytes: number;
  };
  /** Nothing more can be sent. */
  readonly isClosed: boolean;
  /** Sends the response's headers, `:status` first; with `isEnd` they are all there is. Nothing is sent on a closed stream, here and below. */
  sendHeaders(fields: readonly string[], isEnd: boolean): void;
  /**
   * Sends `body` behind its prefix as part of the body. False when some of it has to wait: then `onWritable` follows, and `body` must not change until
   * it has gone.
   */
  write(prefix: Prefix, body: Uint8Array, isEnd: boolean): boolean;
  /** Ends this side with trailers, after what waits. */
  sendTrailers(fields: readonly string[]): void;
  /** `bytes` of what `onData` brought are out of the way: the peer may send as many more. */
  consumed(bytes: number): void;
}

/** Takes the frames of a call as they come, instead of its messages. */
export interface RawSink {
  /** With `isEnd` nothing follows; otherwise `onEnd` says so. */
  onData(bytes: Buffer, start: number, end: number, isEnd: boolean): void;
  onEnd(): void;
  onWritable(): void;
  /** The call is over: the caller went away, its deadline passed, or its status has been sent. */
  onClose(): void;
}
