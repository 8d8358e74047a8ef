import type { Socket } from "node:net";
import { sweep, unsweep } from "../http2/sweeper.ts";

export interface SnifferOptions {
  /** The connection is closed when it hasn't said what it speaks by then. */
  readonly withinMs: number;
  /** `first` is what came, and stays to be read. Bytes that are neither protocol's count as HTTP/2's. */
  onHttp2(socket: Socket, first: Buffer, openedMs: number): void;
  onHttp1(socket: Socket, first: Buffer): void;
  /** Closed before it said anything. */
  onLost(sniffer: ProtocolSniffer): void;
}

/** How a request of HTTP/1 may begin (RFC 9112 §3). HTTP/2's preface begins with a method that there is not (RFC 9113 §3.4). */
const methods = ["GET", "POST", "OPTIONS", "HEAD", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT"].map(
  (name) => `${name} `,
);
const longest = Math.max(...methods.map((method) => method.length));

/** Finds out from its first bytes whether a connection speaks HTTP/2 or HTTP/1. */
export class ProtocolSniffer {
  readonly calls = 0;
  readonly #socket: Socket;
  readonly #options: SnifferOptions;
  readonly #openedMs = Date.now();
  #first: Buffer | undefined;

  constructor(socket: Socket, options: SnifferOptions) {
    this.#socket = socket;
    this.#options = options;
    socket.on("data", this.#onData);
    socket.on("close", this.#onClose);
    sweep(this);
  }

  readonly #onData = (chunk: Buffer): void => {
    const first = this.#first === undefined ? chunk : Buffer.concat([this.#first, chunk]);
    const start = first.toString("latin1", 0, longest);
    const isHttp1 = methods.some((method) => start.startsWith(method));
    if (!isHttp1 && methods.some((method) => method.startsWith(start))) {
      this.#first = first;
      return;
    }
    this.#stop();
    if (isHttp1) this.#options.onHttp1(this.#socket, first);
    else this.#options.onHttp2(this.#socket, first, this.#openedMs);
  };

  readonly #onClose = (): void => {
    this.#stop();
    this.#options.onLost(this);
  };

  #stop(): void {
    this.#socket.off("data", this.#onData);
    this.#socket.off("close", this.#onClose);
    unsweep(this);
  }

  onSweep(nowMs: number): void {
    if (nowMs - this.#openedMs > this.#options.withinMs) this.destroy();
  }

  /** Nothing has been asked for yet: there is nothing to finish. */
  drain(): void {
    this.destroy();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
