import type { Published } from "@microts/blocks/events";
import { stream } from "./stream.ts";
import type {
  ConsumeOptions,
  DeliveredEvent,
  Event,
  PublishOptions,
  ReadOptions,
  ReplayOptions,
} from "./stream-options.ts";

/** The tenant's durable streams by name. `stream(topic)` is one of them, with the type and the schema of its events. */
export const events = {
  /** Appends an event; it survives a crash of the server once this resolves. See `Stream.publish`. */
  async publish(topic: string, data: unknown, options: PublishOptions = {}): Promise<Published> {
    return stream(topic).publish(data, options);
  },

  /** The group's next events. See `Stream.consume`. */
  consume<T = unknown>(
    topic: string,
    options: ConsumeOptions = {},
  ): AsyncGenerator<DeliveredEvent<T>, void, undefined> {
    return stream<T>(topic).consume(options);
  },

  /** Events of a topic in order, 250 unless told otherwise. */
  async read<T = unknown>(topic: string, options: ReadOptions = {}): Promise<Event<T>[]> {
    return stream<T>(topic).read(options);
  },

  /** All events of a range of a topic, in order. */
  replay<T = unknown>(topic: string, options: ReplayOptions = {}): AsyncGenerator<Event<T>, void, undefined> {
    return stream<T>(topic).replay(options);
  },
} as const;
