import { Broker, RemoteBroker } from "@microts/blocks/broker";
import { connection, inherited, inheritedSignal } from "./connection.ts";
import { checkOptions } from "./misuse.ts";
import { resubscribed } from "./resubscribe.ts";

/** A message as a subscriber gets it. */
export interface Message<T> {
  /** Where it was published. */
  readonly topic: string;
  /** The body as JSON; as text when it isn't JSON. */
  readonly data: T;
  readonly isJson: boolean;
  readonly body: Uint8Array;
  readonly header: Readonly<Record<string, string>>;
}

export interface SubscribeOptions {
  /** Subscribers that name the same queue share the messages between them. Default: every subscriber gets every message. */
  readonly queue?: string;
  /** When this subscriber is more than 10,000 messages or 32 MiB behind: it loses the oldest (`drop`, the default), or the loop throws a 429 (`disconnect`). */
  readonly whenSlow?: "drop" | "disconnect";
  /** Ends the subscription; so does leaving the loop and, inside a handler, the end of its call by the caller. */
  readonly signal?: AbortSignal;
}

let opened: Broker | undefined;

function open(): Broker {
  const { rpc, env } = connection();
  opened ??= new Broker(new RemoteBroker(rpc, env.namespace));
  return opened;
}

/** Messages to whoever listens now, at most once each, within the tenant. What must not get lost goes through `events`. */
export const broker = {
  /** Resolves when the platform has handed the message to everybody who was subscribed. */
  async publish(topic: string, data: unknown, header: Readonly<Record<string, string>> = {}): Promise<void> {
    const { signal } = inherited();
    const { namespace } = connection().env;
    const all = { "Content-Type": "application/json", ...header };
    await open().publish(topic, JSON.stringify(data ?? null), { namespace, header: all, signal });
  },

  /**
   * Messages from now on, in each publisher's order, until the signal aborts or the loop is left. When the server goes away it is subscribed anew as
   * soon as the server is back; messages of the time between are lost. Throws when the first subscription fails. In `topic`, `*` stands for one part
   * between dots and `>` at the end for one or more: `orders.*.created`, `orders.>`.
   */
  subscribe<T = unknown>(topic: string, options: SubscribeOptions = {}): AsyncGenerator<Message<T>, void, undefined> {
    const example = 'for await (const { data } of broker.subscribe("orders")) { … }';
    checkOptions(options, { call: "broker.subscribe", example });
    return subscribed(topic, options);
  },
} as const;

async function* subscribed<T>(
  topic: string,
  { queue, whenSlow, signal }: SubscribeOptions,
): AsyncGenerator<Message<T>, void, undefined> {
  const { namespace } = connection().env;
  const options = { namespace, queue, whenSlow, signal: inheritedSignal(signal) };
  const messages = resubscribed(() => open().subscribe(topic, options), options.signal);
  for await (const { topic, header, body } of messages) {
    const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString();
    yield { topic, header, body, ...(parsed(text) as Pick<Message<T>, "data" | "isJson">) };
  }
}

function parsed(text: string): Pick<Message<unknown>, "data" | "isJson"> {
  try {
    return { data: JSON.parse(text), isJson: true };
  } catch {
    return { data: text, isJson: false };
  }
}
