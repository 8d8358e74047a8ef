import { checkNamespace, defaultNamespace, MicroError } from "@microts/core";
import {
  checkDate,
  checkMetadata,
  checkName,
  checkPosition,
  checkSettings,
  deadLetterTopic,
  payloadBytes,
} from "./checks.ts";
import type {
  Damage,
  Delivery,
  EventPage,
  EventsDriver,
  GroupInfo,
  Position,
  Published,
  StreamEvent,
  TopicInfo,
  TopicSettings,
} from "./driver.ts";
import { never } from "./never.ts";
import { replay } from "./replay.ts";

export interface EventsCallOptions {
  /** Default `micro`. */
  readonly namespace?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface PublishOptions extends EventsCallOptions {
  /** Publishing the same id again within the topic's window, two minutes by default, appends nothing. Default: a new one. */
  readonly id?: string | undefined;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  /** Default now. */
  readonly timestamp?: Date | undefined;
  /** How long the event is kept, in milliseconds. Default: as long as its topic keeps events. */
  readonly ttlMs?: number | undefined;
}

export interface SubscribeOptions extends EventsCallOptions {
  /** Consumers of one group share the events, and its position outlives them. Default: a group of this consumer alone, forgotten with it. */
  readonly group?: string | undefined;
  /** Where a group without a position begins: an offset, the first event of a time or later, or either end. Default `latest`: what comes from now on. */
  readonly from?: Position | undefined;
  /** Whether an event is handled once the next one is asked for. Default true; otherwise answer each with `ack` or `nack`. */
  readonly autoAck?: boolean | undefined;
  /** When an event that was not answered is delivered again, in milliseconds. Default 30 s, at most a day. */
  readonly ackWaitMs?: number | undefined;
  /** Deliveries after the first, before an event becomes a dead letter. Default -1: without limit. */
  readonly retryLimit?: number | undefined;
  /** The topic of dead letters. Default `<topic>.dead`; false drops them with a log line, which is the default for such topics themselves. */
  readonly deadLetter?: string | false | undefined;
  /** The consumer gets no more while it has so many without an answer. Default 1000, at most 10,000. */
  readonly maxUnanswered?: number | undefined;
}

export interface ReadOptions extends EventsCallOptions {
  /** Default `earliest`. */
  readonly from?: Position | undefined;
  /** Exclusive. Default the end of the topic. */
  readonly until?: Position | undefined;
  /** Default 250, at most 10,000. */
  readonly limit?: number | undefined;
}

export interface ReplayOptions extends EventsCallOptions {
  /** Default `earliest`. */
  readonly from?: Position | undefined;
  /** Exclusive. Default the end of the topic as it is at the beginning. */
  readonly until?: Position | undefined;
  /** Told of events that can't be read, in their place. Default: they are named by the error that ends the replay, after all others. */
  readonly onDamaged?: ((damage: Damage) => void) | undefined;
}

const defaultAckWaitMs = 30_000;
const maxAckWaitMs = 24 * 3_600_000;
const defaultUnanswered = 1000;
const maxUnanswered = 10_000;
const defaultLimit = 250;
const maxLimit = 10_000;

/** Ordered, durable streams of events by topic. */
export class Events implements AsyncDisposable {
  readonly #driver: EventsDriver;

  constructor(driver: EventsDriver) {
    this.#driver = driver;
  }

  /** Appends an event: bytes as they are, anything else as JSON. Resolves when it is durable. Throws 400, and 413 for more than 4 MiB. */
  async publish(topic: string, payload: unknown, options: PublishOptions = {}): Promise<Published> {
    const at = "events.Stream.Publish";
    const { id, metadata = {}, timestamp = new Date(), ttlMs, signal = never } = options;
    const event = {
      id: id === undefined ? undefined : checkName(id, "id", at),
      timestamp: checkDate(timestamp, at),
      metadata: checkMetadata(metadata, at),
      payload: payloadBytes(payload, at),
      expiresAt: ttlMs === undefined ? undefined : checkDate(new Date(Date.now() + ttlMs), at),
    };
    // Awaited here: a promise that is returned costs three turns of the microtask queue, not one.
    return await this.#driver.publish(namespaceOf(options, at), checkName(topic, "topic", at), event, signal);
  }

  /** A group's next events, until the signal aborts. Live once the promise resolves. Throws 400. */
  async consume(topic: string, options: SubscribeOptions = {}): Promise<AsyncIterable<Delivery>> {
    const at = "events.Stream.Consume";
    const { group = "", from = "latest", autoAck = true, ackWaitMs = defaultAckWaitMs, signal = never } = options;
    const { retryLimit = -1, maxUnanswered: most = defaultUnanswered, deadLetter = deadLetterTopic(topic) } = options;
    if (!(ackWaitMs > 0))
      throw MicroError.badRequest(at, `invalid AckWait passed, should be positive: ${ackWaitMs} ms`);
    if (!Number.isInteger(retryLimit))
      throw MicroError.badRequest(at, `retryLimit is a whole number or -1, not ${retryLimit}`);
    if (!Number.isInteger(most) || most < 1)
      throw MicroError.badRequest(at, `maxUnanswered is a whole number from 1 to ${maxUnanswered}, not ${most}`);
    const checked = {
      topic: checkName(topic, "topic", at),
      group: group === "" ? "" : checkName(group, "group", at),
      from: checkPosition(from, at),
      autoAck,
      ackWaitMs: Math.min(Math.max(ackWaitMs, 1), maxAckWaitMs),
      retryLimit: Math.max(retryLimit, -1),
      deadLetter: deadLetter ? checkName(deadLetter, "dead-letter topic", at) : undefined,
      maxUnanswered: Math.min(most, maxUnanswered),
    };
    return this.#driver.consume(namespaceOf(options, at), checked, signal);
  }

  /** Events of exactly this topic, in order; fewer than the limit when they are large: `next` says where to go on. Throws 400. */
  async read(topic: string, options: ReadOptions = {}): Promise<EventPage> {
    const { events, damaged, next, first, end } = await this.page(topic, options);
    return { events, damaged, next, first, end };
  }

  /** As `read`, for who passes the page on: its events may be made only when they are looked at. */
  async page(topic: string, options: ReadOptions = {}): Promise<EventPage> {
    const at = "events.Store.Read";
    const { from = "earliest", until, limit = defaultLimit, signal = never } = options;
    if (!Number.isSafeInteger(limit) || limit < 1)
      throw MicroError.badRequest(at, `limit is a whole number from 1 to ${maxLimit}, not ${limit}`);
    const range = {
      from: checkPosition(from, at),
      until: until === undefined ? undefined : checkPosition(until, at),
      limit: Math.min(limit, maxLimit),
    };
    return this.#driver.read(namespaceOf(options, at), checkName(topic, "topic", at), range, signal);
  }

  /** All events of a range, in order. Throws 400, and 500 after the last event when some could not be read. */
  replay(topic: string, options: ReplayOptions = {}): AsyncGenerator<StreamEvent, void, undefined> {
    const { from = "earliest", until, onDamaged, ...call } = options;
    const damaged: Damage[] = [];
    return replay(
      (range) => this.page(topic, { ...call, ...range }),
      { from, until },
      onDamaged ?? ((damage) => damaged.push(damage)),
      () => {
        if (damaged.length > 0) throw damageError(topic, damaged);
      },
    );
  }

  /** The topics of the namespace by name. */
  async topics(options: EventsCallOptions = {}): Promise<TopicInfo[]> {
    return this.#driver.topics(namespaceOf(options, "events.Stream.Topics"), options.signal ?? never);
  }

  /** The groups of a topic by name. */
  async groups(topic: string, options: EventsCallOptions = {}): Promise<GroupInfo[]> {
    const at = "events.Stream.Groups";
    return this.#driver.groups(namespaceOf(options, at), checkName(topic, "topic", at), options.signal ?? never);
  }

  /** Moves a group: it gets what comes from that position on. Resolves with the offset when that is durable. Throws 400. */
  async seek(topic: string, group: string, to: Position, options: EventsCallOptions = {}): Promise<number> {
    const at = "events.Stream.Seek";
    const names = [checkName(topic, "topic", at), checkName(group, "group", at)] as const;
    return this.#driver.seek(namespaceOf(options, at), ...names, checkPosition(to, at), options.signal ?? never);
  }

  /** Replaces what a topic keeps. What exceeds it is deleted, oldest first. Throws 400. */
  async configure(topic: string, settings: TopicSettings, options: EventsCallOptions = {}): Promise<void> {
    const at = "events.Stream.Configure";
    const name = checkName(topic, "topic", at);
    const checked = checkSettings(settings, at);
    await this.#driver.configure(namespaceOf(options, at), name, checked, options.signal ?? never);
  }

  /** Deletes a topic with all its events and groups; its consumers throw 404. Throws 400, and 404 when there is none. */
  async deleteTopic(topic: string, options: EventsCallOptions = {}): Promise<void> {
    const at = "events.Stream.DeleteTopic";
    const name = checkName(topic, "topic", at);
    await this.#driver.deleteTopic(namespaceOf(options, at), name, options.signal ?? never);
  }

  /** Deletes a group with its position; its consumers throw 404. Throws 400, and 404 when there is none. */
  async deleteGroup(topic: string, group: string, options: EventsCallOptions = {}): Promise<void> {
    const at = "events.Stream.DeleteGroup";
    const names = [checkName(topic, "topic", at), checkName(group, "group", at)] as const;
    await this.#driver.deleteGroup(namespaceOf(options, at), ...names, options.signal ?? never);
  }

  /** Closes the driver. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#driver[Symbol.asyncDispose]();
  }
}

function namespaceOf(options: EventsCallOptions, at: string): string {
  return checkNamespace(options.namespace || defaultNamespace, at);
}

function damageError(topic: string, damaged: readonly Damage[]): MicroError {
  const shown = damaged.slice(0, 20).map(({ offset, count, reason }) => {
    const range = count === 1 ? `offset ${offset}` : `offsets ${offset} to ${offset + count - 1}`;
    return `${range} (${reason})`;
  });
  const more = damaged.length > shown.length ? ` and ${damaged.length - shown.length} more` : "";
  return MicroError.internal(
    "events.Store.Read",
    `all but these events of "${topic}" were read: ${shown.join(", ")}${more}. They are damaged on disk: restore the data directory from a backup to have them back`,
  );
}
