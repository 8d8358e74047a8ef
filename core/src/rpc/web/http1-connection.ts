import type { Socket } from "node:net";
import { sweep, unsweep } from "../http2/sweeper.ts";
import type { Http1Exchange } from "./http1-exchange.ts";

/** A connection of HTTP/1.1: one exchange after the other. */
export class Http1Connection {
  readonly #socket: Socket;
  readonly #stallMs: number;
  #exchange: Http1Exchange | undefined;
  #isDraining = false;
  #writtenBytes = 0;
  #progressMs = Date.now();

  constructor(socket: Socket, stallMs: number, onLost: (connection: Http1Connection) => void) {
    this.#socket = socket;
    this.#stallMs = stallMs;
    socket.on("close", () => {
      unsweep(this);
      onLost(this);
    });
    sweep(this);
  }

  /** Whether a request waits for the end of its answer. */
  get isBusy(): boolean {
    return this.#exchange !== undefined && !this.#exchange.isAnswered;
  }

  get calls(): number {
    return this.isBusy ? 1 : 0;
  }

  /** Begins an exchange; false while another goes on. */
  begin(exchange: Http1Exchange): boolean {
    if (this.isBusy) return false;
    this.#exchange = exchange;
    exchange.isLast = this.#isDraining;
    return true;
  }

  /** The exchange is over. */
  finished(): void {
    if (this.#isDraining) this.#socket.destroySoon();
  }

  /** Ends the connection when the exchange that goes on is over. */
  drain(): void {
    this.#isDraining = true;
    if (this.#exchange === undefined || this.#exchange.isAnswered) this.#socket.destroySoon();
    else this.#exchange.isLast = true;
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Once a second: whether the caller takes what it asked for. */
  onSweep(nowMs: number): void {
    const { bytesWritten, writableLength } = this.#socket;
    const written = bytesWritten - writableLength;
    if (writableLength === 0 || written !== this.#writtenBytes) {
      this.#writtenBytes = written;
      this.#progressMs = nowMs;
    } else if (nowMs - this.#progressMs > this.#stallMs) this.destroy();
  }
}
