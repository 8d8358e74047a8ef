import type { BrokerDriver, BrokerMessage } from "@microts/blocks/broker";
import { type Log, MicroError, silent } from "@microts/core";
import { MessageQueue } from "./message-queue.ts";

/** What one subscriber may leave unread. */
const maxUnread = 10_000;
const maxUnreadBytes = 32 * 1024 * 1024;

/** A slow subscriber is logged at its first lost message and then at every so many. */
const logEvery = 10_000;

/** The subscribers of a topic that share a queue's name; those without one each get everything. */
class Topic {
  readonly everyone = new Set<MessageQueue<BrokerMessage>>();
  readonly queues = new Map<string, MessageQueue<BrokerMessage>[]>();
  #turn = 0;

  /** To everyone, and to one of each queue: whoever has least unread, by turns among equals. */
  publish(message: BrokerMessage): void {
    for (const subscriber of this.everyone) subscriber.push(message);
    this.#turn++;
    for (const members of this.queues.values()) {
      let chosen: MessageQueue<BrokerMessage> | undefined;
      for (let offset = 0; offset < members.length; offset++) {
        const member = members[(this.#turn + offset) % members.length];
        if (member !== undefined && (chosen === undefined || member.length < chosen.length)) chosen = member;
      }
      chosen?.push(message);
    }
  }

  add(queue: string, subscriber: MessageQueue<BrokerMessage>): void {
    if (queue === "") this.everyone.add(subscriber);
    else this.queues.set(queue, [...(this.queues.get(queue) ?? []), subscriber]);
  }

  remove(queue: string, subscriber: MessageQueue<BrokerMessage>): void {
    this.everyone.delete(subscriber);
    const others = (this.queues.get(queue) ?? []).filter((member) => member !== subscriber);
    if (others.length === 0) this.queues.delete(queue);
    else this.queues.set(queue, others);
  }

  get isEmpty(): boolean {
    return this.everyone.size === 0 && this.queues.size === 0;
  }
}

/** Messages within this process. Each subscriber may be 10 000 messages or 32 MiB behind; then it loses the oldest, which is counted and logged. */
export class EmbeddedBroker implements BrokerDriver {
  readonly name = "embedded";
  readonly #topics = new Map<string, Topic>();
  readonly #log: Log;
  readonly #closing = new AbortController();
  #subscriptions = 0;
  #dropped = 0;

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

  async publish(namespace: string, topic: string, message: BrokerMessage, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#topics.get(keyOf(namespace, topic))?.publish(message);
  }

  async subscribe(
    namespace: string,
    topic: string,
    queue: string,
    signal: AbortSignal,
  ): Promise<AsyncIterable<BrokerMessage>> {
    signal.throwIfAborted();
    if (this.#closing.signal.aborted) throw MicroError.unavailable("broker", "the broker is closed");
    const key = keyOf(namespace, topic);
    const subscribers = this.#topics.get(key) ?? new Topic();
    const subscriber: MessageQueue<BrokerMessage> = new MessageQueue<BrokerMessage>({
      maxItems: maxUnread,
      maxBytes: maxUnreadBytes,
      bytesOf: ({ body }) => body.byteLength,
      overflow: "drop-oldest",
      onDrop: (dropped) => {
        this.#dropped++;
        if (dropped % logEvery === 1)
          this.#log.warn("a subscriber is too slow and loses messages", { namespace, topic, queue, dropped });
      },
      signal: AbortSignal.any([signal, this.#closing.signal]),
      onEnd: () => {
        this.#subscriptions--;
        subscribers.remove(queue, subscriber);
        if (subscribers.isEmpty && this.#topics.get(key) === subscribers) this.#topics.delete(key);
      },
    });
    subscribers.add(queue, subscriber);
    this.#topics.set(key, subscribers);
    this.#subscriptions++;
    return subscriber;
  }

  /** Ends all subscriptions. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
  }
}

function keyOf(namespace: string, topic: string): string {
  return JSON.stringify([namespace, topic]);
}
