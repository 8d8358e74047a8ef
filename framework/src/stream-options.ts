import type { Damage, Position, TopicSettings } from "@microts/blocks/events";
import type { Schema } from "./schema/schema.ts";

/** An event as it is read. */
export interface Event<T> {
  readonly id: string;
  readonly topic: string;
  /** Position in its topic, from 0 without a gap. */
  readonly offset: number;
  readonly timestamp: Date;
  readonly metadata: Readonly<Record<string, string>>;
  /** The payload as JSON. */
  readonly data: T;
}

/** An event as a consumer gets it. The first answer counts; without one it comes again. */
export interface DeliveredEvent<T> extends Event<T> {
  /** 1 for the first delivery to the group. */
  readonly attempt: number;
  /** Handled: the group never gets it again. */
  ack(): Promise<void>;
  /** Comes again after 100 ms, then 200 ms, and so on up to 10 s. The reason goes along when it becomes a dead letter. */
  nack(reason?: string): Promise<void>;
  /** Becomes a dead letter at once. */
  reject(reason: string): Promise<void>;
  /** Still at it: the wait for an answer begins anew. */
  extend(): Promise<void>;
}

export interface StreamOptions<Input, Output = Input> {
  /** Any Standard Schema. What doesn't match it can't be published, and becomes a dead letter when it is consumed. Consumers get what it returns. */
  readonly schema?: Schema<Input, Output>;
  /** What the topic keeps; set before this process uses it for the first time. Default: what it is set to, which is everything for a new topic. */
  readonly retention?: TopicSettings;
}

export interface PublishOptions {
  /** Publishing the same id again within the topic's window, two minutes by default, appends nothing. Default: a new one. */
  readonly id?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  /** Default now. */
  readonly timestamp?: Date;
  /** How long the event is kept, in milliseconds. Default: as long as its topic keeps events. */
  readonly ttlMs?: number;
}

export interface ConsumeOptions {
  /** Consumers of one group share the events, and its position outlives them. Default: this consumer alone. */
  readonly group?: string;
  /** Where a group without a position begins: `latest` (the default), `earliest`, an offset, or the first event of a time or later. */
  readonly from?: Position;
  /** Whether an event is handled once the next one is asked for. Default true; otherwise answer each with `ack` or `nack`. */
  readonly autoAck?: boolean;
  /** When an event that was not answered comes again, in milliseconds. Default 30 s. */
  readonly ackWaitMs?: number;
  /** Deliveries after the first, before an event becomes a dead letter. Default -1: without limit. */
  readonly retryLimit?: number;
  /** The topic of dead letters. Default `<topic>.dead`; false drops them with a line in the server's log. */
  readonly deadLetter?: string | false;
  /** How many events this consumer may have without an answer, those included that wait here for their turn. Default 16. */
  readonly maxUnanswered?: number;
  /** Ends the consuming; so does leaving the loop and, inside a handler, the end of its call by the caller. */
  readonly signal?: AbortSignal;
}

export interface HandleOptions extends Omit<ConsumeOptions, "autoAck"> {
  readonly group: string;
  /** How many events are handled at once. Default 1. */
  readonly concurrency?: number;
}

export interface ReadOptions {
  /** Default `earliest`. */
  readonly from?: Position;
  /** Exclusive. Default the end of the topic. */
  readonly until?: Position;
  /** Default 250, at most 10,000. */
  readonly limit?: number;
}

export interface ReplayOptions {
  /** Default `earliest`. */
  readonly from?: Position;
  /** Exclusive. Default the end of the topic as it is at the beginning. */
  readonly until?: Position;
  /** Told of events that can't be read. Default: the replay ends with an error that names them, after all others. */
  readonly onDamaged?: (damage: Damage) => void;
}
