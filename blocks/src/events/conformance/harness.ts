import { deepEqual } from "node:assert/strict";
import type { ConsumeOptions, Delivery, EventsDriver, NewEvent, ReadRange, StreamEvent } from "../driver.ts";

/** Registers one test. */
export type EventsTest = (name: string, run: () => Promise<void>) => unknown;

export interface EventsHarness {
  /** An empty driver of its own, for the namespace `acme`. What it deletes is gone within two seconds. */
  open(): Promise<EventsDriver>;
}

export const signal: AbortSignal = new AbortController().signal;

const decoder = new TextDecoder();

export function event(text: string, more: Partial<NewEvent> = {}): NewEvent {
  return {
    id: undefined,
    timestamp: new Date(1_700_000_000_000),
    metadata: {},
    payload: new TextEncoder().encode(text),
    expiresAt: undefined,
    ...more,
  };
}

export async function publish(driver: EventsDriver, topic: string, texts: readonly string[]): Promise<void> {
  await Promise.all(texts.map((text) => driver.publish("acme", topic, event(text), signal)));
}

/** All of a topic, or a part of it. */
export async function read(
  driver: EventsDriver,
  topic: string,
  range: Partial<ReadRange> = {},
): Promise<StreamEvent[]> {
  const whole = { from: "earliest", until: undefined, limit: 10_000, ...range } as const;
  const { events, damaged } = await driver.read("acme", topic, whole, signal);
  deepEqual(damaged, []);
  return events;
}

export function numbers(count: number, prefix = ""): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${i}`);
}

export function textOf(of: Delivery | StreamEvent | undefined): string {
  if (of === undefined) return "";
  return decoder.decode("event" in of ? of.event.payload : of.payload);
}

/** Takes one by one; `next` waits at most a minute. */
export class Reader implements AsyncDisposable {
  readonly #iterator: AsyncIterator<Delivery>;

  constructor(deliveries: AsyncIterable<Delivery>) {
    this.#iterator = deliveries[Symbol.asyncIterator]();
  }

  async next(withinMs = 60_000): Promise<Delivery | undefined> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no event within ${withinMs} ms`)), withinMs);
    });
    try {
      const { value, done } = await Promise.race([this.#iterator.next(), late]);
      return done ? undefined : value;
    } finally {
      clearTimeout(timer);
    }
  }

  async take(count: number, ack = true): Promise<Delivery[]> {
    const taken: Delivery[] = [];
    while (taken.length < count) {
      const delivery = await this.next();
      if (delivery === undefined) break;
      if (ack) await delivery.ack();
      taken.push(delivery);
    }
    return taken;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#iterator.return?.();
  }
}

/** A consumer of topic `t` in group `g` from the beginning that answers for itself, unless told otherwise. */
export async function consume(
  driver: EventsDriver,
  more: Partial<ConsumeOptions> = {},
  own: AbortSignal = signal,
): Promise<Reader> {
  const options: ConsumeOptions = {
    topic: "t",
    group: "g",
    from: "earliest",
    autoAck: false,
    ackWaitMs: 30_000,
    retryLimit: -1,
    deadLetter: "t.dead",
    maxUnanswered: 1000,
    ...more,
  };
  return new Reader(await driver.consume("acme", options, own));
}

/** Asks again until the answer is right; fails after a minute with the last one. */
export async function eventually<T>(ask: () => Promise<T>, isRight: (answer: T) => boolean): Promise<T> {
  for (const late = Date.now() + 60_000; ; ) {
    const answer = await ask();
    if (isRight(answer)) return answer;
    if (Date.now() > late) throw new Error(`still not right: ${JSON.stringify(answer)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
