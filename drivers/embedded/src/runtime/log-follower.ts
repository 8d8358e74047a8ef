import type { LogLine } from "@microts/blocks/runtime";

/** A reader that falls further behind than this loses the oldest of what it hasn't read. */
const mostWaiting = 10_000;

/** Lines as they are written, until the signal aborts or `end` is called. A slow reader is told how many lines it has missed. */
export class LogFollower implements AsyncIterable<LogLine> {
  readonly #signal: AbortSignal;
  #waiting: LogLine[] = [];
  #missed = 0;
  #ended = false;
  #wake: (() => void) | undefined;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  push(line: LogLine): void {
    this.#waiting.push(line);
    if (this.#waiting.length > mostWaiting) {
      const dropped = Math.floor(mostWaiting / 2);
      this.#missed += dropped;
      this.#waiting = this.#waiting.slice(dropped);
    }
    this.#wake?.();
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<LogLine, void, undefined> {
    const wake = () => this.#wake?.();
    this.#signal.addEventListener("abort", wake);
    try {
      while (!this.#signal.aborted) {
        const lines = this.#waiting;
        this.#waiting = [];
        yield* this.#missedLine(lines);
        yield* lines;
        if (this.#waiting.length > 0) continue;
        if (this.#ended) return;
        await this.#more();
      }
    } finally {
      this.#signal.removeEventListener("abort", wake);
    }
  }

  #missedLine([next]: readonly LogLine[]): LogLine[] {
    if (this.#missed === 0 || next === undefined) return [];
    const message = `${this.#missed} lines were written faster than they were read and are left out here`;
    this.#missed = 0;
    return [{ ...next, metadata: { ...next.metadata, stream: "runtime" }, message }];
  }

  #more(): Promise<void> {
    if (this.#signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined;
        resolve();
      };
    });
  }
}
