import type { ConsumeOptions, Delivery } from "@microts/blocks/events";
import type { EventGroup } from "./group.ts";
import type { Given, GroupMember } from "./outstanding.ts";

/** One consumer's end of a group: asks for an event when its reader does. */
export class EventConsumer implements AsyncIterableIterator<Delivery>, GroupMember {
  readonly options: ConsumeOptions;
  held = 0;
  readonly #group: EventGroup;
  readonly #signal: AbortSignal;
  readonly #onEnd: () => void;
  #asked: PromiseWithResolvers<Delivery | undefined> | undefined;
  #previous: Delivery | undefined;
  /** Told to the reader when it asks next. */
  #failure: Error | undefined;
  #ended = false;

  /** `onEnd` is called once, when it has left the group. */
  constructor(group: EventGroup, options: ConsumeOptions, signal: AbortSignal, onEnd: () => void) {
    this.#group = group;
    this.options = options;
    this.#signal = signal;
    this.#onEnd = onEnd;
    group.attach(this);
    signal.addEventListener("abort", this.#abort, { once: true });
  }

  take(given: Given): void {
    this.#asked?.resolve(this.#delivery(given));
    this.#asked = undefined;
  }

  async next(): Promise<IteratorResult<Delivery, undefined>> {
    const previous = this.#previous;
    this.#previous = undefined;
    // Not waited for: the next event may go out while the group's position gets to disk.
    if (previous !== undefined && this.options.autoAck) previous.ack().catch(() => {});
    if (this.#ended) return this.#end();
    const asked = Promise.withResolvers<Delivery | undefined>();
    this.#asked = asked;
    this.#group.pull(this);
    const delivery = await asked.promise;
    if (delivery === undefined) return this.#end();
    this.#previous = delivery;
    return { done: false, value: delivery };
  }

  /** The reader leaves: what it has not answered goes to others at once. */
  async return(): Promise<IteratorResult<Delivery, undefined>> {
    this.#leave(true);
    return { done: true, value: undefined };
  }

  /** Ends it from outside, as an abort does; with a reason its reader gets that. */
  end(reason?: Error): void {
    if (!this.#ended) this.#failure = reason;
    this.#leave(false);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #end(): IteratorReturnResult<undefined> {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw failure;
    return { done: true, value: undefined };
  }

  readonly #abort = (): void => this.#leave(false);

  #leave(left: boolean): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#signal.removeEventListener("abort", this.#abort);
    this.#group.detach(this, left);
    this.#asked?.resolve(undefined);
    this.#onEnd();
  }

  #delivery(given: Given): Delivery {
    return {
      event: given.event,
      attempt: given.attempt,
      ack: () => this.#group.ack(given),
      nack: (reason) => this.#group.nack(given, reason),
      reject: (reason) => this.#group.reject(given, reason),
      extend: () => this.#group.extend(given),
      release: () => this.#group.release(given),
    };
  }
}
