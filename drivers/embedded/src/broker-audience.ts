import type { BrokerMessage } from "@microts/blocks/broker";
import type { MessageQueue } from "./message-queue.ts";
import { SharedBudget } from "./shared-budget.ts";
import { TopicIndex } from "./topic-index.ts";

/** A message on its way to those who get it; one for all of them. */
export interface Delivery extends BrokerMessage {
  /** What it counts against a subscriber's limit. */
  readonly bytes: number;
  /** How many subscribers it waits for. */
  holders: number;
}

export interface Subscriber {
  readonly pattern: string;
  /** "" for a subscriber who shares with nobody. */
  readonly queue: string;
  readonly unread: MessageQueue<Delivery>;
}

/** Those who share the messages of one topic. */
class Queue {
  readonly #members: Subscriber[] = [];
  #turn: number;

  constructor(turn: number) {
    this.#turn = turn;
  }

  add(member: Subscriber): void {
    this.#members.push(member);
  }

  /** To whoever has least unread, by turns among equals. */
  push(delivery: Delivery): void {
    const members = this.#members;
    this.#turn++;
    let chosen: Subscriber | undefined;
    for (let offset = 0; offset < members.length; offset++) {
      const member = members[(this.#turn + offset) % members.length];
      if (member === undefined || (chosen !== undefined && member.unread.length >= chosen.unread.length)) continue;
      chosen = member;
      if (member.unread.length === 0) break;
    }
    chosen?.unread.push(delivery);
  }
}

/** Who gets the messages of one topic. */
interface Audience {
  readonly everyone: readonly Subscriber[];
  readonly queues: ReadonlyMap<string, Queue>;
}

/** Topics whose audience is remembered. */
const maxRemembered = 1_024;

/** What the subscribers of a namespace may leave unread together. */
const maxUnreadBytes = 256 * 1024 * 1024;

/** The subscribers of one namespace. */
export class Subscribers {
  readonly budget = new SharedBudget(maxUnreadBytes);
  readonly #index = new TopicIndex<Subscriber>();
  /** Holds until the next change of subscribers. */
  readonly #audiences = new Map<string, Audience>();
  /** Where the next audience begins with its turns: one that is made anew for each message must not begin with the same member. */
  #turn = 0;

  get isEmpty(): boolean {
    return this.#index.size === 0;
  }

  add(subscriber: Subscriber): void {
    this.#audiences.clear();
    this.#index.add(subscriber.pattern, subscriber);
  }

  remove(subscriber: Subscriber): void {
    this.#audiences.clear();
    this.#index.remove(subscriber.pattern, subscriber);
  }

  /** To everyone who shares with nobody, and to one of each queue. */
  publish(delivery: Delivery): void {
    const { everyone, queues } = this.#audienceOf(delivery.topic);
    for (const { unread } of everyone) unread.push(delivery);
    for (const queue of queues.values()) queue.push(delivery);
  }

  /** To the other members of a queue, for one that has left; to nobody when it was the last that wants the topic. */
  handOver(delivery: Delivery, queue: string): void {
    this.#audienceOf(delivery.topic).queues.get(queue)?.push(delivery);
  }

  #audienceOf(topic: string): Audience {
    const known = this.#audiences.get(topic);
    if (known !== undefined) return known;
    const everyone: Subscriber[] = [];
    const queues = new Map<string, Queue>();
    this.#turn++;
    for (const subscriber of this.#index.match(topic)) {
      if (subscriber.queue === "") {
        everyone.push(subscriber);
        continue;
      }
      const queue = queues.get(subscriber.queue) ?? new Queue(this.#turn);
      queue.add(subscriber);
      queues.set(subscriber.queue, queue);
    }
    const audience = { everyone, queues };
    if (this.#audiences.size >= maxRemembered) this.#audiences.clear();
    this.#audiences.set(topic, audience);
    return audience;
  }
}
