import type { FrameWriter } from "./frame-writer.ts";
import { ErrorCode } from "./protocol.ts";

/** Keepalive as gRPC knows it (its documents keepalive.md and A8). */
export interface KeepaliveOptions {
  /** A peer that was silent for so long is asked with a PING whether it is still there. Infinity: never. */
  readonly afterMs: number;
  /** A PING not answered for so long means that the peer is gone. */
  readonly timeoutMs: number;
  /** Also while no call is open. */
  readonly withoutCalls: boolean;
  /** PINGs of the peer nearer to each other than this, with no message of this side between them, are counted against it. */
  readonly minIntervalMs: number;
}

/** What keepalive needs of its connection. */
interface Asked {
  readonly writer: FrameWriter;
  readonly streams: { readonly size: number };
  fail(code: number, message: string): void;
}

/** So many PINGs too early are forgiven. */
const maxStrikes = 2;

/** Finds out that the peer is gone though its end of the connection never closed, and holds the peer to asking no more than is right. */
export class Keepalive {
  readonly #connection: Asked;
  readonly #options: KeepaliveOptions;
  #heardMs = Date.now();
  #askedMs: number | undefined;
  #lastPingMs = 0;
  #strikes = 0;
  #onAcknowledged: (() => void) | undefined;

  constructor(connection: Asked, options: KeepaliveOptions) {
    this.#connection = connection;
    this.#options = options;
  }

  /** Something came from the peer. */
  heard(): void {
    this.#heardMs = Date.now();
    this.#askedMs = undefined;
  }

  /** This side sent a message or headers: the peer may ask again. */
  sent(): void {
    this.#strikes = 0;
    this.#lastPingMs = 0;
  }

  /** Asks once now and calls back when the answer is there. */
  ask(onAcknowledged: () => void): void {
    this.#onAcknowledged = onAcknowledged;
    this.#connection.writer.ping(question, 0, false);
  }

  acknowledged(bytes: Buffer, start: number): void {
    if (bytes.compare(question, 0, 8, start, start + 8) !== 0) return;
    this.#onAcknowledged?.();
    this.#onAcknowledged = undefined;
  }

  /**
   * Whether this side has sent something since the peer's last PING: with such a PING a peer measures how much can be on its way, as grpc-go
   * does with almost every message.
   */
  get isPingPaid(): boolean {
    return this.#lastPingMs === 0;
  }

  /** Counts a PING of the peer; false when it has sent too many. Only servers hold their peers to the interval. */
  isPingAllowed(isServer: boolean): boolean {
    const now = Date.now();
    const isEarly = now - this.#lastPingMs < this.#options.minIntervalMs;
    this.#lastPingMs = now;
    if (isServer && isEarly) this.#strikes++;
    return this.#strikes <= maxStrikes;
  }

  /** What a peer that asked too often is held to. */
  get intervalText(): string {
    return `(keepalive.minIntervalMs = ${this.#options.minIntervalMs})`;
  }

  check(nowMs: number): void {
    const { afterMs, timeoutMs, withoutCalls } = this.#options;
    if (this.#askedMs !== undefined) {
      if (nowMs - this.#askedMs >= timeoutMs)
        this.#connection.fail(ErrorCode.noError, `no answer to a PING (keepalive.timeoutMs = ${timeoutMs})`);
      return;
    }
    if (nowMs - this.#heardMs < afterMs || !(withoutCalls || this.#connection.streams.size > 0)) return;
    this.#askedMs = nowMs;
    this.#connection.writer.ping(question, 0, false);
  }
}

const question = Buffer.from("micro_ka", "latin1");
