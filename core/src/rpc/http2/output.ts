import type { Socket } from "node:net";

const slabBytes = 64 * 1024;
/** Slabs that no connection uses at the moment, kept for the next that writes. */
const spareSlabs: Buffer[] = [];
const maxSpareSlabs = 32;

/**
 * A turn that has gathered so much sends it before its end, then twice as much, and so on: the peer begins to work while this side goes on,
 * instead of both taking turns.
 */
const firstEarlyBytes = 2048;

/** From here on streams wait before they add more. */
const fullBytes = 256 * 1024;

/**
 * Gathers the frames of one turn of the event loop in a slab and gives the socket one write for all of them. An idle connection holds
 * no slab.
 */
export class Output {
  readonly #socket: Socket;
  readonly #onDrain: () => void;
  readonly #onWritten: () => void;
  readonly #flushLater: () => void;
  /** Where the next byte goes: `slab[used]`. Valid after `reserve`, until the next call of it. */
  slab: Buffer = empty;
  used = 0;
  #writing: Buffer[] = [];
  #writingBytes = 0;
  #isScheduled = false;
  #earlyBytes = firstEarlyBytes;
  #isOpen = false;
  #isEnding = false;
  #isDestroyed = false;
  #progressMs = 0;

  /** `onDrain` is called when the socket has caught up after `isFull`. */
  constructor(socket: Socket, onDrain: () => void) {
    this.#socket = socket;
    this.#onDrain = onDrain;
    this.#onWritten = () => this.#written();
    this.#flushLater = () => {
      this.#isScheduled = false;
      this.#earlyBytes = firstEarlyBytes;
      this.flush();
    };
  }

  /** Bytes that wait for the socket. */
  get pendingBytes(): number {
    return this.#writingBytes + this.used;
  }

  /** When the socket took something last, in milliseconds of `Date.now()`; 0 while it has nothing to take. */
  get stalledSinceMs(): number {
    return this.#writing.length === 0 ? 0 : this.#progressMs;
  }

  get isFull(): boolean {
    return this.#writingBytes + this.used >= fullBytes;
  }

  /** Makes room for `bytes`, at most 64 KiB, behind `used`. The caller writes them and moves `used`. */
  reserve(bytes: number): void {
    if (this.used >= this.#earlyBytes && this.#isOpen) {
      this.#earlyBytes *= 2;
      this.#write();
    }
    if (this.used + bytes <= this.slab.length) {
      if (!this.#isScheduled) this.#schedule();
      return;
    }
    if (this.used > 0) this.#write();
    this.slab = spareSlabs.pop() ?? Buffer.allocUnsafeSlow(slabBytes);
    if (!this.#isScheduled) this.#schedule();
  }

  #schedule(): void {
    this.#isScheduled = true;
    setImmediate(this.#flushLater);
  }

  /** The socket is connected: what waits may go. */
  open(): void {
    this.#isOpen = true;
    this.flush();
  }

  /** Writes what is there without waiting for the end of the turn. */
  flush(): void {
    if (!this.#isOpen || this.used === 0 || this.#isDestroyed) return;
    this.#write();
  }

  #write(): void {
    const { slab, used } = this;
    this.slab = empty;
    this.used = 0;
    if (this.#isDestroyed || this.#isEnding) return;
    if (this.#writing.length === 0) this.#progressMs = Date.now();
    this.#writing.push(slab);
    this.#writingBytes += used;
    this.#sizes.push(used);
    this.#socket.write(used === slab.length ? slab : slab.subarray(0, used), this.#onWritten);
  }

  #sizes: number[] = [];

  #written(): void {
    const slab = this.#writing.shift();
    const size = this.#sizes.shift();
    if (slab === undefined || size === undefined) return;
    const wasFull = this.#writingBytes >= fullBytes / 2;
    this.#writingBytes -= size;
    this.#progressMs = Date.now();
    if (spareSlabs.length < maxSpareSlabs) spareSlabs.push(slab);
    if (wasFull && this.#writingBytes < fullBytes / 2 && !this.#isDestroyed) this.#onDrain();
  }

  /** Writes what is there and half-closes the socket. */
  end(): void {
    if (this.#isEnding || this.#isDestroyed) return;
    this.flush();
    this.#isEnding = true;
    this.#socket.end();
  }

  destroy(): void {
    this.#isDestroyed = true;
    this.slab = empty;
    this.used = 0;
  }
}

const empty = Buffer.alloc(0);
