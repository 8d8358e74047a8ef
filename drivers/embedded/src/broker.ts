import type { BrokerDriver, BrokerMessage, Subscription } from "@microts/blocks/broker";
import { type Log, MicroError, silent } from "@microts/core";
import { type Delivery, type Subscriber, Subscribers } from "./broker-audience.ts";
import { MessageQueue } from "./message-queue.ts";

/** What one subscriber may leave unread. */
const maxUnread = 10_000;
const maxUnreadBytes = 32 * 1024 * 1024;

/** A slow subscriber is logged at its first lost message and then at every so many. */
const logEvery = 10_000;

/**
 * Messages within this process. Each subscriber may be 10,000 messages or 32 MiB behind, and those of a namespace 256 MiB together; then it loses the oldest or
 * is disconnected, as it chose. Both are counted and logged.
 */
export class EmbeddedBroker implements BrokerDriver {
  readonly name = "embedded";
  readonly #tenants = new Map<string, Subscribers>();
  readonly #log: Log;
  readonly #closing = new AbortController();
  #subscriptions = 0;
  #dropped = 0;
  #disconnected = 0;

  constructor({ log = silent }: { readonly log?: Log | undefined } = {}) {
    this.#log = log;
  }

  /** Live subscriptions. */
  get subscriptions(): number {
    return this.#subscriptions;
  }

  /** Messages that subscribers were too slow for, since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Subscribers that were too slow and wanted to be disconnected then, since the start. */
  get disconnected(): number {
    return this.#disconnected;
  }

  async publish(namespace: string, { topic, header, body }: BrokerMessage, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.#tenants.get(namespace)?.publish({ topic, header, body, bytes: sizeOf(header, body), holders: 0 });
  }

  async subscribe(namespace: string, wanted: Subscription, signal: AbortSignal): Promise<AsyncIterable<BrokerMessage>> {
    signal.throwIfAborted();
    if (this.#closing.signal.aborted) throw MicroError.unavailable("broker", "the broker is closed");
    const subscribers = this.#tenants.get(namespace) ?? new Subscribers();
    let lost = 0;
    const subscriber: Subscriber = {
      pattern: wanted.topic,
      queue: wanted.queue,
      unread: new MessageQueue<Delivery>({
        maxItems: maxUnread,
        maxBytes: maxUnreadBytes,
        bytesOf: ({ bytes }) => bytes,
        budget: subscribers.budget,
        overflow: wanted.whenSlow === "drop" ? "drop-oldest" : { error: () => this.#disconnect(namespace, wanted) },
        onDrop: (dropped) => {
          lost = dropped;
          this.#drop(namespace, wanted, dropped);
        },
        signal: AbortSignal.any([signal, this.#closing.signal]),
        onEnd: (left) => {
          this.#subscriptions--;
          if (lost > 0)
            this.#log.info("a subscriber that lost messages has left", {
              ...namesOf(namespace, wanted),
              dropped: lost,
            });
          subscribers.remove(subscriber);
          if (subscribers.isEmpty && this.#tenants.get(namespace) === subscribers) this.#tenants.delete(namespace);
          if (wanted.queue === "" || this.#closing.signal.aborted) return;
          for (const delivery of left) subscribers.handOver(delivery, wanted.queue);
        },
      }),
    };
    subscribers.add(subscriber);
    this.#tenants.set(namespace, subscribers);
    this.#subscriptions++;
    return subscriber.unread;
  }

  /** Ends all subscriptions. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
  }

  #drop(namespace: string, wanted: Subscription, dropped: number): void {
    this.#dropped++;
    if (dropped % logEvery === 1)
      this.#log.warn("a subscriber is too slow and loses messages", { ...namesOf(namespace, wanted), dropped });
  }

  #disconnect(namespace: string, wanted: Subscription): MicroError {
    this.#disconnected++;
    this.#log.warn("a subscriber is too slow and is disconnected", namesOf(namespace, wanted));
    const limit = `${maxUnread} messages or ${maxUnreadBytes / 1024 / 1024} MiB`;
    return new MicroError(
      429,
      "broker.Broker.Subscribe",
      `the subscriber of "${wanted.topic}" was more than ${limit} behind, or one of too many that are, and is disconnected. Subscribe again, and share the topic in a queue or handle messages faster`,
    );
  }
}

function namesOf(namespace: string, { topic, queue }: Subscription) {
  return { namespace, topic, ...(queue !== "" && { queue }) };
}

function sizeOf(header: Readonly<Record<string, string>>, body: Uint8Array): number {
  let size = body.byteLength;
  for (const name in header) size += name.length + (header[name] as string).length;
  return size;
}
