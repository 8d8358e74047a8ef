import { Events, RemoteEvents } from "@microts/blocks/events";
import { connection, inherited, inheritedSignal } from "./connection.ts";
import { resubscribed } from "./resubscribe.ts";

/** An event as a consumer gets it. */
export interface Event<T> {
  readonly id: string;
  readonly topic: string;
  readonly timestamp: Date;
  readonly metadata: Readonly<Record<string, string>>;
  /** The payload as JSON. */
  readonly data: T;
}

export interface ConsumeOptions {
  /** Consumers of one group share the events, and its position outlives them. Default: this consumer alone. */
  readonly group?: string;
  /** Where a group without a position begins. Default `latest`. */
  readonly from?: "latest" | "earliest" | Date;
  /** Ends the consuming; so does leaving the loop and, inside a handler, the end of its call by the caller. */
  readonly signal?: AbortSignal;
}

let opened: Events | undefined;

function open(): Events {
  opened ??= new Events(new RemoteEvents(connection().rpc, connection().env.namespace));
  return opened;
}

/** The tenant's durable streams. */
export const events = {
  /** Appends an event; it survives a crash of the server once this resolves. */
  async publish(topic: string, data: unknown, metadata: Readonly<Record<string, string>> = {}): Promise<void> {
    const { signal } = inherited();
    await open().publish(topic, data ?? null, { namespace: connection().env.namespace, metadata, signal });
  },

  /**
   * The group's next events. Each counts as handled when the next is asked for: a loop body that throws, or a process that dies, leaves its event to
   * be delivered again. When the server goes away the consumer takes up again as soon as it is back. Throws when the first connection fails.
   */
  async *consume<T = unknown>(topic: string, options: ConsumeOptions = {}): AsyncGenerator<Event<T>, void, undefined> {
    const { namespace } = connection().env;
    const signal = inheritedSignal(options.signal);
    const consume = () => open().consume(topic, { ...options, namespace, ...(signal && { signal }) });
    for await (const { event } of resubscribed(consume, signal)) yield eventOf<T>(event);
  },

  /** Events of a topic in order, `limit` (default 250) from the `offset`-th on. */
  async read<T = unknown>(
    topic: string,
    options: { readonly limit?: number; readonly offset?: number } = {},
  ): Promise<Event<T>[]> {
    const { signal } = inherited();
    const { limit, offset = 0 } = options;
    const range = { from: offset, limit, namespace: connection().env.namespace, signal };
    const { events: found } = await open().read(topic, range);
    return found.map((event) => eventOf<T>(event));
  },
} as const;

function eventOf<T>({
  id,
  topic,
  timestamp,
  metadata,
  payload,
}: Omit<Event<T>, "data"> & { readonly payload: Uint8Array }): Event<T> {
  return { id, topic, timestamp, metadata, data: JSON.parse(Buffer.from(payload).toString()) as T };
}
