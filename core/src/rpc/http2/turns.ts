import type { Stream } from "./stream.ts";

/** What the streams of one connection share when they send. */
interface Outflow {
  /** Bytes that the peer takes on all streams together. */
  readonly sendWindow: number;
  readonly isClosed: boolean;
  readonly output: { readonly isFull: boolean };
}

/** The streams that have something to send and can't at once: one frame a turn for each, so that none holds the others back. */
export class Turns {
  readonly #outflow: Outflow;
  #waiting: Stream[] = [];
  #isRunning = false;

  constructor(outflow: Outflow) {
    this.#outflow = outflow;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** Gives the stream its turns until all it has is sent or its own window is used up. */
  add(stream: Stream): void {
    if (stream.isQueued) return;
    stream.isQueued = true;
    this.#waiting.push(stream);
    this.run();
  }

  /** Goes on as far as the connection's window and the socket allow. */
  run(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    const outflow = this.#outflow;
    while (this.#waiting.length > 0 && outflow.sendWindow > 0 && !outflow.output.isFull && !outflow.isClosed) {
      const stream = this.#waiting.shift() as Stream;
      stream.isQueued = false;
      if (stream.sendQueued(outflow.sendWindow) > 0 && stream.queuedBytes > 0 && !stream.isQueued) {
        stream.isQueued = true;
        this.#waiting.push(stream);
      }
    }
    this.#isRunning = false;
  }

  clear(): void {
    this.#waiting = [];
  }
}
