import type { Delivery } from "./driver.ts";

/** Takes deliveries as they come, so that the waits of those that nobody has looked at yet can be extended. */
export class Prefetched {
  readonly #source: AsyncIterator<Delivery>;
  readonly #ready: Delivery[] = [];
  readonly #timer: NodeJS.Timeout;
  #over = false;
  #stopped = false;
  #failure: { readonly reason: unknown } | undefined;
  #wake: (() => void) | undefined;

  /** Extends every `extendMs`. How many are taken ahead is up to the server, which sends no more than may be unanswered. */
  constructor(source: AsyncIterator<Delivery>, extendMs: number) {
    this.#source = source;
    this.#timer = setInterval(() => this.#extend(), extendMs).unref();
    void this.#take();
  }

  async next(): Promise<Delivery | undefined> {
    for (;;) {
      const delivery = this.#ready.shift();
      if (delivery !== undefined) return delivery;
      if (this.#failure !== undefined) throw this.#failure.reason;
      if (this.#over) return undefined;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** Nothing is taken or extended from here on; what nobody has looked at is given back. */
  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
    for (const delivery of this.#ready.splice(0)) delivery.release().catch(() => {});
  }

  async #take(): Promise<void> {
    try {
      for (let next = await this.#source.next(); !next.done; next = await this.#source.next()) {
        if (this.#stopped) next.value.release().catch(() => {});
        else this.#ready.push(next.value);
        this.#wake?.();
      }
    } catch (reason) {
      this.#failure = { reason };
    }
    this.#over = true;
    clearInterval(this.#timer);
    this.#wake?.();
  }

  #extend(): void {
    for (const delivery of this.#ready) delivery.extend().catch(() => {});
  }
}
