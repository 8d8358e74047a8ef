import { Broker, RemoteBroker } from "@microts/blocks/broker";
import { connection, inherited, inheritedSignal } from "./connection.ts";
import { resubscribed } from "./resubscribe.ts";

/** A message as a subscriber gets it. */
export interface Message<T> {
  /** The body as JSON. */
  readonly data: T;
  readonly header: Readonly<Record<string, string>>;
}

export interface SubscribeOptions {
  /** Subscribers that name the same queue share the messages between them. Default: every subscriber gets every message. */
  readonly queue?: string;
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
    const all = { "Content-Type": "application/json", "Micro-Topic": topic, ...header };
    await open().publish(topic, JSON.stringify(data ?? null), { namespace, header: all, signal });
  },

  /**
   * Messages from now on, in each publisher's order, until the signal aborts or the loop is left. When the server goes away it is subscribed anew as
   * soon as the server is back; messages of the time between are lost. Throws when the first subscription fails.
   */
  async *subscribe<T = unknown>(
    topic: string,
    { queue, signal }: SubscribeOptions = {},
  ): AsyncGenerator<Message<T>, void, undefined> {
    const { namespace } = connection().env;
    const options = { namespace, queue, signal: inheritedSignal(signal) };
    const messages = resubscribed(() => open().subscribe(topic, options), options.signal);
    for await (const { header, body } of messages) {
      yield { header, data: JSON.parse(Buffer.from(body).toString()) as T };
    }
  },
} as const;
