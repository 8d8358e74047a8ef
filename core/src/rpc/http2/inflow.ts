import type { FrameWriter } from "./frame-writer.ts";
import { ConnectionError, defaultWindowBytes, ErrorCode } from "./protocol.ts";

/** Flow control of what a connection receives on all its streams together (RFC 9113 §5.2). */
export class Inflow {
  readonly #writer: FrameWriter;
  readonly #windowBytes: number;
  #window = defaultWindowBytes;
  #credit = 0;
  #held = 0;

  /** `windowBytes` is what the peer may send ahead, and what this side is ready to hold unread before it stops granting more. */
  constructor(writer: FrameWriter, windowBytes: number) {
    this.#writer = writer;
    this.#windowBytes = windowBytes;
  }

  /** Widens the window from the protocol's 64 KiB, at the connection's start. A narrower one can't be announced (RFC 9113 §6.9.2). */
  open(): void {
    if (this.#windowBytes <= defaultWindowBytes) return;
    this.#writer.windowUpdate(0, this.#windowBytes - defaultWindowBytes);
    this.#window = this.#windowBytes;
  }

  /** A DATA frame of `bytes` came. Throws a ConnectionError when the peer wasn't allowed to send it. */
  received(bytes: number): void {
    this.#window -= bytes;
    if (this.#window < 0) throw new ConnectionError(ErrorCode.flowControlError, "the connection's window was exceeded");
  }

  /** `bytes` of it stay unread in a stream. */
  hold(bytes: number): void {
    this.#held += bytes;
  }

  /** So many have been read, or their stream is gone. */
  release(bytes: number): void {
    if (bytes === 0) return;
    this.#held -= bytes;
    this.grant(0);
  }

  /** Lets the peer send as much again as has come, unless what nobody has read fills this side's share of memory. */
  grant(bytes: number): void {
    this.#credit += bytes;
    if (this.#credit < this.#windowBytes / 2 || this.#held >= this.#windowBytes) return;
    this.#window += this.#credit;
    this.#writer.windowUpdate(0, this.#credit);
    this.#credit = 0;
  }
}
