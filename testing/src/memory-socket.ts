import type { Socket } from "node:net";
import { Duplex } from "node:stream";

/** A socket whose other end is in this process: what it is told to receive comes at once, and what is written to it is kept. */
export class MemorySocket extends Duplex {
  readonly remoteAddress = "127.0.0.1";
  readonly remotePort = 1;
  readonly #written: Buffer[] = [];

  /** As what servers and clients take; it has all that ours use. */
  get asSocket(): Socket {
    return this as unknown as Socket;
  }

  get written(): Buffer {
    return Buffer.concat(this.#written);
  }

  receive(chunk: Buffer): void {
    this.emit("data", chunk);
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    // The writer uses its buffers again.
    this.#written.push(Buffer.from(chunk));
    done();
  }

  setNoDelay(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }
}
