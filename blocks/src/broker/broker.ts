import { defaultNamespace, MicroError } from "@microts/core";
import type { BrokerDriver, BrokerMessage } from "./driver.ts";

/** Largest message, header and body together: 8 MiB. */
export const maxMessageBytes = 8 * 1024 * 1024;
const maxTopicBytes = 255;

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
    { namespace = defaultNamespace, header = {}, signal = never }: PublishOptions = {},
  ): Promise<void> {
    const id = "broker.Broker.Publish";
    const message = { header, body: typeof body === "string" ? new TextEncoder().encode(body) : body };
    checkText(topic, "topic", id);
    checkText(namespace, "namespace", id);
    checkSize(topic, message, id);
    await wrap(id, this.#driver.publish(namespace, topic, message, signal));
  }

  /** Messages from when the promise resolves, in each publisher's order. A reader far behind loses the oldest. */
  async subscribe(
    topic: string,
    { namespace = defaultNamespace, queue = "", signal = never }: SubscribeOptions = {},
  ): Promise<AsyncIterable<BrokerMessage>> {
    const id = "broker.Broker.Subscribe";
    checkText(topic, "topic", id);
    checkText(namespace, "namespace", id);
    if (queue !== "") checkText(queue, "queue", id);
    return wrap(id, this.#driver.subscribe(namespace, topic, queue, signal));
  }
}

function checkText(text: string, what: string, id: string): void {
  if (text === "") throw MicroError.badRequest(id, `Missing ${what}`);
  if (!/^[^\p{Cc}\p{Cs}]+$/u.test(text))
    throw MicroError.badRequest(id, `the ${what} has control characters or is not valid Unicode`);
  if (Buffer.byteLength(text) > maxTopicBytes)
    throw MicroError.badRequest(id, `the ${what} is longer than ${maxTopicBytes} bytes`);
}

function checkSize(topic: string, { header, body }: BrokerMessage, id: string): void {
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
