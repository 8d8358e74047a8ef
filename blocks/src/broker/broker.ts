import { defaultNamespace, MicroError } from "@microts/core";
import type { BrokerDriver, BrokerMessage, WhenSlow } from "./driver.ts";
import { checkName, checkPattern, checkTopic } from "./topics.ts";

/** Largest message, header and body together: 8 MiB. */
export const maxMessageBytes = 8 * 1024 * 1024;

export interface PublishOptions {
  /** The tenant whose topics these are. Default `micro`. */
  readonly namespace?: string | undefined;
  readonly header?: Readonly<Record<string, string>> | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface SubscribeOptions {
  /** The tenant whose topics these are. Default `micro`. */
  readonly namespace?: string | undefined;
  /** Subscribers with the same queue share the messages. Default: every message comes. */
  readonly queue?: string | undefined;
  /** When this subscriber is far behind it loses the oldest messages (`drop`, the default), or gets a 429 (`disconnect`). */
  readonly whenSlow?: WhenSlow | undefined;
  /** Ends the subscription. Leaving the loop does too. */
  readonly signal?: AbortSignal | undefined;
}

const never = new AbortController().signal;

/** Messages to whoever listens now, at most once each. What must not get lost goes through events. */
export class Broker {
  readonly #driver: BrokerDriver;

  constructor(driver: BrokerDriver) {
    this.#driver = driver;
  }

  /** Resolves when everybody who was subscribed has been handed the message. Text is sent as UTF-8. */
  async publish(
    topic: string,
    body: Uint8Array | string,
    { namespace = defaultNamespace, header = {}, signal }: PublishOptions = {},
  ): Promise<void> {
    const id = "broker.Broker.Publish";
    checkTopic(topic, id);
    checkName(namespace, "namespace", id);
    const message = { topic, header, body: typeof body === "string" ? Buffer.from(body) : body };
    checkSize(message, id);
    await wrap(id, this.#driver.publish(namespace, message, signal));
  }

  /**
   * Messages from when the promise resolves, in each publisher's order. In `topic`, `*` stands for one part and `>` at the end for one or more:
   * `orders.*.created`, `orders.>`.
   */
  async subscribe(
    topic: string,
    { namespace = defaultNamespace, queue = "", whenSlow = "drop", signal = never }: SubscribeOptions = {},
  ): Promise<AsyncIterable<BrokerMessage>> {
    const id = "broker.Broker.Subscribe";
    checkPattern(topic, id);
    checkName(namespace, "namespace", id);
    if (queue !== "") checkName(queue, "queue", id);
    return wrap(id, this.#driver.subscribe(namespace, { topic, queue, whenSlow }, signal));
  }
}

function checkSize({ topic, header, body }: BrokerMessage, id: string): void {
  let size = body.byteLength;
  for (const [key, value] of Object.entries(header)) size += Buffer.byteLength(key) + Buffer.byteLength(value);
  if (size > maxMessageBytes)
    throw MicroError.tooLarge(
      id,
      `the message for "${topic}" has ${size} bytes; the limit is ${maxMessageBytes}. Write a blob and send its key`,
    );
}

async function wrap<T>(id: string, answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw MicroError.from(error, id);
  }
}
