import { decodeMessage } from "@microts/core/codec";
import type { CallContext } from "@microts/core/rpc";
import { type AckRequest, AckRequestSchema } from "@microts/proto/events";
import type { Delivery } from "./driver.ts";
import { farewell } from "./wire.ts";

/** So many deliveries of one consumer are remembered to be answered; no consumer may have more without an answer. */
const maxDeliveries = 10_000;

/** What a consumer has to answer. The original names events by their id alone, and two events of a topic may have the same. */
export class Unanswered {
  readonly #byOffset = new Map<number, Delivery>();
  readonly #byId = new Map<string, Delivery>();
  #onEmpty: (() => void) | undefined;

  add(delivery: Delivery): void {
    const { id, offset } = delivery.event;
    this.#byOffset.delete(offset);
    this.#byOffset.set(offset, delivery);
    this.#byId.set(id, delivery);
    if (this.#byOffset.size <= maxDeliveries) return;
    // Seldom: in a map from which much was taken, the first entry is far to find.
    const [oldest] = this.#byOffset.values();
    if (oldest !== undefined) this.#remove(oldest);
  }

  /** The delivery that an answer is for; it is taken off unless the answer only asks for more time. */
  find({ id, offset, extend }: AckRequest): Delivery | undefined {
    const there = this.#byOffset.get(Number(offset));
    const delivery = there?.event.id === id ? there : this.#byId.get(id);
    if (delivery !== undefined && !extend) this.#remove(delivery);
    return delivery;
  }

  /** The consumer wants no more. */
  isReleased = false;

  /** Takes back all that is not answered, as if it had not been delivered. */
  async release(): Promise<void> {
    this.isReleased = true;
    await Promise.all([...this.#byOffset.values()].map((delivery) => delivery.release()));
  }

  /** Resolves when everything has been answered, or after so many milliseconds. */
  async emptied(withinMs: number): Promise<void> {
    if (this.#byOffset.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onEmpty = resolve;
    const timer = setTimeout(resolve, withinMs);
    await promise;
    clearTimeout(timer);
  }

  #remove(delivery: Delivery): void {
    const { id, offset } = delivery.event;
    this.#byOffset.delete(offset);
    if (this.#byId.get(id) === delivery) this.#byId.delete(id);
    if (this.#byOffset.size === 0) this.#onEmpty?.();
  }
}

/** Resolves when no more answers come: true after a farewell, false when the caller has closed its side or gone. */
export async function takeAnswers(unanswered: Unanswered, { rest, format }: CallContext): Promise<boolean> {
  const answering = new Set<Promise<void>>();
  for await (const bytes of rest) {
    const answer = decodeMessage(AckRequestSchema, bytes, format);
    if (answer.id === farewell) {
      if (answer.release) await unanswered.release();
      await Promise.all(answering);
      return true;
    }
    const delivery = unanswered.find(answer);
    if (delivery === undefined) continue;
    const done = passOn(answer, delivery);
    answering.add(done);
    // A failed one is delivered again when its wait is over.
    done.catch(() => {}).finally(() => answering.delete(done));
  }
  return false;
}

function passOn({ success, extend, release, reject, reason }: AckRequest, delivery: Delivery): Promise<void> {
  if (extend) return delivery.extend();
  if (release) return delivery.release();
  if (success) return delivery.ack();
  return reject ? delivery.reject(reason || "rejected") : delivery.nack(reason || undefined);
}
