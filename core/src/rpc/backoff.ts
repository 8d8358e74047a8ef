/** Waits between attempts to connect, ever longer and never the same for two clients (gRPC connection-backoff.md, with shorter waits). */
export class Backoff {
  readonly #firstMs: number;
  readonly #maxMs: number;
  #failures = 0;
  #untilMs = 0;

  constructor(firstMs: number, maxMs: number) {
    this.#firstMs = firstMs;
    this.#maxMs = maxMs;
  }

  /** How long to wait before the next attempt; 0 when it may begin. */
  get leftMs(): number {
    return Math.max(0, this.#untilMs - Date.now());
  }

  /** Grows the wait by 1.6, give or take a fifth. */
  failed(): void {
    const waitMs = Math.min(this.#maxMs, this.#firstMs * 1.6 ** this.#failures) * (0.8 + Math.random() * 0.4);
    this.#failures++;
    this.#untilMs = Date.now() + waitMs;
  }

  /** Begins with the first wait again. */
  reset(): void {
    this.#failures = 0;
    this.#untilMs = 0;
  }
}
