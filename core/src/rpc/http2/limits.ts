import { ConnectionError, ErrorCode } from "./protocol.ts";

/** What one peer may cost this side. Every limit is per connection unless it says otherwise. */
export interface Limits {
  /** Calls at once; the server announces it, and refuses more (RFC 9113 §5.1.2). Default 1,000. */
  readonly maxConcurrentStreams: number;
  /** Received bytes that a stream may hold before they are read; announced as its window. Default 1 MiB. */
  readonly streamWindowBytes: number;
  /** Received bytes that all streams together may hold before they are read; no less than 64 KiB. Default 16 MiB. */
  readonly connectionWindowBytes: number;
  /** Size of a decoded header list, names, values and 32 for each field (RFC 9113 §6.5.2); larger ones end their call. Default 64 KiB. */
  readonly maxHeaderListBytes: number;
  /** Fields of a header list. Default 256. */
  readonly maxHeaderFields: number;
  /** Encoded size of one header block with its CONTINUATION frames; larger ones end the connection. Default 128 KiB. */
  readonly maxHeaderBlockBytes: number;
  /** CONTINUATION frames of one header block. Default 32. */
  readonly maxContinuations: number;
  /** Until the peer has finished the TLS handshake, sent its preface and SETTINGS, and acknowledged ours; also a header block. Default 10 s. */
  readonly handshakeMs: number;
  /** Calls that the peer resets, or makes this side reset, before they are answered: so many at once … Default 1,000. */
  readonly resetBurst: number;
  /** … and so many a second for long. Default 100. */
  readonly resetsPerSecond: number;
  /** PING, SETTINGS and GOAWAY frames at once, but for a PING behind each message sent. Default 100; a tenth of it a second for long. */
  readonly controlBurst: number;
  /**
   * PRIORITY, WINDOW_UPDATE, empty DATA, acknowledgements, unknown frames and those of streams that are over. A frame with a use, sent or
   * received, stands against four of them. Default 2,000.
   */
  readonly idleFrameBurst: number;
  /** A peer that takes nothing of what waits for it, or leaves a frame unfinished, for so long is cut off. Default 60 s. */
  readonly stallMs: number;
  /** Bytes that wait for a peer that asks for answers and doesn't read them, over which it is cut off. Default 8 MiB. */
  readonly maxPendingBytes: number;
  /** Received bytes of messages that aren't whole yet; a call that takes the connection over it ends with RESOURCE_EXHAUSTED. Default 256 MiB. */
  readonly maxAssemblyBytes: number;
}

export const defaultLimits: Limits = {
  maxConcurrentStreams: 1000,
  streamWindowBytes: 1024 * 1024,
  connectionWindowBytes: 16 * 1024 * 1024,
  maxHeaderListBytes: 64 * 1024,
  maxHeaderFields: 256,
  maxHeaderBlockBytes: 128 * 1024,
  maxContinuations: 32,
  handshakeMs: 10_000,
  resetBurst: 1000,
  resetsPerSecond: 100,
  controlBurst: 100,
  idleFrameBurst: 2000,
  stallMs: 60_000,
  maxPendingBytes: 8 * 1024 * 1024,
  maxAssemblyBytes: 256 * 1024 * 1024,
};

/** Limits by name and value, as the errors of this side tell them to whoever has to change one. */
export function limitsText(limits: Limits, ...names: readonly (keyof Limits)[]): string {
  return `(${names.map((name) => `limits.${name} = ${limits[name]}`).join(", ")})`;
}

/** ENHANCE_YOUR_CALM: the peer sent too much of something. */
export function overLimit(limits: Limits, what: string, ...names: readonly (keyof Limits)[]): ConnectionError {
  return new ConnectionError(ErrorCode.enhanceYourCalm, `${what} ${limitsText(limits, ...names)}`);
}

/** A token bucket: `burst` at once, `perSecond` for long. */
export class Allowance {
  readonly #burst: number;
  readonly #perSecond: number;
  #left: number;
  #sinceMs = Date.now();

  constructor(burst: number, perSecond: number) {
    this.#burst = burst;
    this.#perSecond = perSecond;
    this.#left = burst;
  }

  /** Takes one; false when there is none left. */
  take(): boolean {
    if (this.#left < 1) this.#refill();
    this.#left -= 1;
    return this.#left >= 0;
  }

  #refill(): void {
    const now = Date.now();
    this.#left = Math.min(this.#burst, this.#left + ((now - this.#sinceMs) / 1000) * this.#perSecond);
    this.#sinceMs = now;
  }
}
