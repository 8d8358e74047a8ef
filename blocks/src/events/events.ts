import { checkNamespace, defaultNamespace, MicroError } from "@microts/core";
import type { Delivery, EventsDriver, StreamEvent } from "./driver.ts";

export interface EventsCallOptions {
  /** Default `micro`. */
  readonly namespace?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface PublishOptions extends EventsCallOptions {
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  /** Default now. */
  readonly timestamp?: Date | undefined;
  /** How long the event is kept, in milliseconds. Default for ever. */
  readonly ttlMs?: number | undefined;
}

export interface SubscribeOptions extends EventsCallOptions {
  /** Consumers of one group share the events, and its position outlives them. Default: a group of this consumer alone, forgotten with it. */
  readonly group?: string | undefined;
  /** Where a group without a position begins. Default `latest`: what comes from now on. A date: the first event of that time or later. */
  readonly from?: "latest" | "earliest" | Date | undefined;
  /** Whether an event is handled once the next one is asked for. Default true; otherwise answer each with `ack` or `nack`. */
  readonly autoAck?: boolean | undefined;
  /** When an event that was not answered is delivered again, in milliseconds. Default 30 s, at most a day. */
  readonly ackWaitMs?: number | undefined;
  /** Deliveries after the first, before an event is dropped. Default -1: without limit. */
  readonly retryLimit?: number | undefined;
}

export interface ReadOptions extends EventsCallOptions {
  /** Default 250, at most 10,000. */
  readonly limit?: number | undefined;
  /** How many to leave out. Default 0. */
  readonly offset?: number | undefined;
}

const never = new AbortController().signal;
const maxNameBytes = 256;
/** The most that an event's payload may have. */
export const maxPayloadBytes = 4 * 1024 * 1024;
const maxMetadataBytes = 64 * 1024;
const defaultAckWaitMs = 30_000;
const maxAckWaitMs = 24 * 3_600_000;
const defaultLimit = 250;
const maxLimit = 10_000;
/** What dates may be: unix seconds of the years 1970 to 9999. */
const maxTime = 253_402_300_799_000;

/** Ordered, durable streams of events by topic. */
export class Events implements AsyncDisposable {
  readonly #driver: EventsDriver;

  constructor(driver: EventsDriver) {
    this.#driver = driver;
  }

  /** Appends an event: bytes as they are, anything else as JSON. Resolves when it is durable. Throws 400, and 413 for more than 4 MiB. */
  async publish(topic: string, payload: unknown, options: PublishOptions = {}): Promise<void> {
    const at = "events.Stream.Publish";
    const { metadata = {}, timestamp = new Date(), ttlMs, signal = never } = options;
    const event = {
      timestamp: checkDate(timestamp, at),
      metadata: checkMetadata(metadata, at),
      payload: bytesOf(payload, at),
      expiresAt: ttlMs === undefined ? undefined : checkDate(new Date(Date.now() + ttlMs), at),
    };
    await this.#driver.publish(namespaceOf(options, at), checkName(topic, "topic", at), event, signal);
  }

  /** A group's next events, until the signal aborts. Live once the promise resolves. Throws 400. */
  async consume(topic: string, options: SubscribeOptions = {}): Promise<AsyncIterable<Delivery>> {
    const at = "events.Stream.Consume";
    const {
      group = "",
      from = "latest",
      autoAck = true,
      ackWaitMs = defaultAckWaitMs,
      retryLimit = -1,
      signal = never,
    } = options;
    if (!(ackWaitMs > 0))
      throw MicroError.badRequest(at, `invalid AckWait passed, should be positive: ${ackWaitMs} ms`);
    if (!Number.isInteger(retryLimit))
      throw MicroError.badRequest(at, `retryLimit is a whole number or -1, not ${retryLimit}`);
    const checked = {
      topic: checkName(topic, "topic", at),
      group: group === "" ? "" : checkName(group, "group", at),
      from: from instanceof Date ? checkDate(from, at) : from,
      autoAck,
      ackWaitMs: Math.min(Math.max(ackWaitMs, 1), maxAckWaitMs),
      retryLimit: Math.max(retryLimit, -1),
    };
    return this.#driver.consume(namespaceOf(options, at), checked, signal);
  }

  /** Events of exactly this topic, in order; fewer than the limit when they are large. Throws 400. */
  async read(topic: string, options: ReadOptions = {}): Promise<StreamEvent[]> {
    const at = "events.Store.Read";
    const { limit = defaultLimit, offset = 0, signal = never } = options;
    if (!Number.isSafeInteger(limit) || limit < 1)
      throw MicroError.badRequest(at, `limit is a whole number from 1 to ${maxLimit}, not ${limit}`);
    if (!Number.isSafeInteger(offset) || offset < 0)
      throw MicroError.badRequest(at, `offset is a whole number from 0 on, not ${offset}`);
    const name = checkName(topic, "topic", at);
    return this.#driver.read(namespaceOf(options, at), name, Math.min(limit, maxLimit), offset, signal);
  }

  /** Closes the driver. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#driver[Symbol.asyncDispose]();
  }
}

function namespaceOf(options: EventsCallOptions, at: string): string {
  return checkNamespace(options.namespace || defaultNamespace, at);
}

function checkName(name: string, what: string, at: string): string {
  if (name === "") throw MicroError.badRequest(at, `Missing ${what}`);
  if (Buffer.byteLength(name) > maxNameBytes)
    throw MicroError.badRequest(at, `the ${what} is longer than ${maxNameBytes} bytes`);
  if (/\p{C}/u.test(name))
    throw MicroError.badRequest(at, `the ${what} ${JSON.stringify(name)} has control characters`);
  return name;
}

function checkDate(date: Date, at: string): Date {
  const time = date.getTime();
  if (time >= 0 && time <= maxTime) return date;
  throw MicroError.badRequest(
    at,
    `${Number.isNaN(time) ? "the time" : time} is not a time between the years 1970 and 9999`,
  );
}

function checkMetadata(metadata: Readonly<Record<string, string>>, at: string): Readonly<Record<string, string>> {
  if (Buffer.byteLength(JSON.stringify(metadata)) <= maxMetadataBytes) return { ...metadata };
  throw MicroError.tooLarge(at, `the metadata has more than ${maxMetadataBytes} bytes as JSON`);
}

function bytesOf(payload: unknown, at: string): Uint8Array {
  const bytes = payload instanceof Uint8Array ? payload : encode(payload, at);
  if (bytes.length <= maxPayloadBytes) return bytes;
  throw MicroError.tooLarge(
    at,
    `the payload has ${bytes.length} bytes instead of at most ${maxPayloadBytes}: keep it in the blob store and publish its key`,
  );
}

function encode(payload: unknown, at: string): Uint8Array {
  let text: string | undefined;
  try {
    text = JSON.stringify(payload);
  } catch (error) {
    throw new MicroError(400, at, `Error encoding message: ${error instanceof Error ? error.message : error}`, {
      cause: error,
    });
  }
  if (text === undefined)
    throw MicroError.badRequest(at, `Error encoding message: ${typeof payload} is not a JSON value`);
  return Buffer.from(text);
}
