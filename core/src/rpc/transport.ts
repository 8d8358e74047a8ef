import type { Metadata } from "../metadata.ts";

/**
 * The seam between gRPC and what carries it. Everything above works on whole messages and metadata; everything below knows HTTP.
 */

/** How a call ended: a gRPC status, its message as text, `grpc-status-details-bin` in base64, and the other trailers. */
export interface Status {
  readonly code: number;
  readonly message: string;
  readonly details?: string | undefined;
  readonly trailers: Metadata;
  /** Set by the client's side when no status came because the connection could not be made or broke. */
  readonly lost?: true;
}

/** One call as the server sees it. */
export interface ServerCall {
  /** `/service.Handler/Method`. */
  readonly path: string;
  readonly contentType: string;
  /** Without reserved keys; `grpc-timeout` and `timeout` have become `deadline`. */
  readonly metadata: Metadata;
  /** The value under one key of the metadata, for who needs no other: the record isn't made for it. */
  metadatum(key: string): string | undefined;
  readonly deadline: Date | undefined;
  /** Address of the caller's end of the connection. */
  readonly peer: string;
  /** Aborts when the caller cancels, the connection breaks or the deadline passes. */
  readonly signal: AbortSignal;
  /** The next message: at once when it is there, undefined after the caller's half-close. One reader; not reading holds the caller back. */
  read(): Uint8Array | undefined | Promise<Uint8Array | undefined>;
  /** What `read` gives, as an iterable. */
  readonly requests: AsyncIterableIterator<Uint8Array>;
  /** Whether the message read last came compressed. */
  readonly isCompressed: boolean;
  /** Sends response headers now instead of with the first message. Later calls do nothing. */
  sendHeaders(metadata: Metadata): void;
  /** From here on messages are compressed, or not; does nothing unless the caller takes gzip. Announced with the response headers. */
  compress(on: boolean): void;
  /**
   * Resolves when the transport can take more, and is `accepted` when it can at once; until then the message must not change. Rejects when
   * the call is over, and may be left alone by who sends nothing more.
   */
  send(message: Uint8Array): Promise<void>;
}

/** What `send` returns when the transport has taken the message and can take more: whoever sends many needn't wait. */
export const accepted: Promise<void> = Promise.resolve();

/** Answers one call. Returning ends it with OK; throwing a `StatusError` or anything else ends it with that. */
export type CallHandler = (call: ServerCall) => Promise<void> | void;

/** What a server has open. */
export interface Load {
  readonly connections: number;
  /** Calls that aren't over, and those whose handler goes on though the caller has left. */
  readonly calls: number;
}

export interface Listener extends AsyncDisposable {
  /** `host:port` as bound, with the real port when 0 was asked for; `unix:path` for a Unix socket. */
  readonly address: string;
  /** 0 for a Unix socket. */
  readonly port: number;
  /** As it is at the moment. */
  readonly load: Load;
  /** Stops accepting, lets running calls finish for up to `graceMs`, then cuts them. */
  close(graceMs: number): Promise<void>;
}

/** One call as the client sees it. */
export interface ClientCall {
  /** Resolves when the transport can take more, and is `accepted` when it can at once; until then the message must not change. Rejects when the call has ended. */
  send(message: Uint8Array, options?: SendOptions): Promise<void>;
  /** Half-closes: no more messages from this side. */
  end(): void;
  /** Response headers; rejects with a StatusError when the call fails without any. */
  readonly headers: Promise<Metadata>;
  /** The server's next message: at once when it is there, undefined when the call is over. Rejects only when the transport fails; a status other than OK is in `status`. One reader. */
  read(): Uint8Array | undefined | Promise<Uint8Array | undefined>;
  /** Whether the message read last came compressed. */
  readonly isCompressed: boolean;
  /** Resolves with the final status; transport failures are a status too. Never rejects. */
  readonly status: Promise<Status>;
  /** Ends the call here; `status` says why, by default that it was cancelled. */
  cancel(status?: Status): void;
}

export interface SendOptions {
  /** Overrides the call's `compress` for this message; only a call that was started with it can compress. */
  readonly compress?: boolean;
}

/** What goes out with a call. */
export interface CallStart {
  readonly path: string;
  readonly contentType: string;
  readonly metadata: Metadata;
  readonly deadline: Date | undefined;
  /** Announces gzip and compresses the messages with it. */
  readonly compress?: boolean | undefined;
  /** Keeps trying to connect until the deadline passes or the call is cancelled, instead of failing with the first refusal (gRPC wait-for-ready.md). */
  readonly waitForReady?: boolean | undefined;
  /** Told once, when the call is over: the response headers, empty when none came, and the status with the trailers. */
  readonly onEnd?: ((headers: Metadata, status: Status) => void) | undefined;
}

/** Ends a call with exactly this status, as a proxy passes one through. */
export class StatusError extends Error {
  readonly status: Status;
  constructor(status: Status) {
    super(status.message);
    this.name = "StatusError";
    this.status = status;
  }
}
