const stepMs = 10;

/**
 * Milliseconds during which this process's event loop had its turns. It stands still while the process works, or waits for the machine: for upper
 * bounds on waits, which a busy machine must not break.
 */
export class LoopClock implements Disposable {
  #ms = 0;
  readonly #timer = setInterval(() => {
    this.#ms += stepMs;
  }, stepMs).unref();

  get ms(): number {
    return this.#ms;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
