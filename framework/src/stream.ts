import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import {
  type Delivery,
  Events,
  type Position,
  type Published,
  RemoteEvents,
  type StreamEvent,
} from "@microts/blocks/events";
import { MicroError } from "@microts/core";
import { connection, inherited, inheritedSignal } from "./connection.ts";
import { checkHandle, checkOptions } from "./misuse.ts";
import { processLog } from "./process-log.ts";
import { isLost, resubscribed } from "./resubscribe.ts";
import { validate } from "./schema/schema.ts";
import type {
  ConsumeOptions,
  DeliveredEvent,
  Event,
  HandleOptions,
  PublishOptions,
  ReadOptions,
  ReplayOptions,
  StreamOptions,
} from "./stream-options.ts";

const defaultUnanswered = 16;
/** How long publishing is tried again while the server is away, when the caller has no deadline. */
const publishMs = 10_000;
const firstPauseMs = 50;
const maxPauseMs = 1000;

let opened: Events | undefined;

function open(): Events {
  opened ??= new Events(new RemoteEvents(connection().rpc, connection().env.namespace));
  return opened;
}

/** One of the tenant's durable streams, with the type of its events. Opening it touches nothing. */
export function stream<Input = unknown, Output = Input>(
  topic: string,
  options: StreamOptions<Input, Output> = {},
): Stream<Input, Output> {
  return new Stream(topic, options);
}

export class Stream<Input, Output = Input> {
  readonly topic: string;
  readonly #options: StreamOptions<Input, Output>;
  #configured: Promise<void> | undefined;

  constructor(topic: string, options: StreamOptions<Input, Output>) {
    this.topic = topic;
    this.#options = options;
  }

  /**
   * Appends an event; it survives a crash of the server once this resolves. While the server is away it is tried again, for ten seconds or until the
   * running call's deadline, and it is there once however often it was tried.
   */
  async publish(data: Input, { id = randomUUID(), ...options }: PublishOptions = {}): Promise<Published> {
    const { schema } = this.#options;
    const refused = (issues: string) =>
      MicroError.badRequest(
        "events.Stream.Publish",
        `the event for "${this.topic}" doesn't match its schema: ${issues}`,
      );
    // What is stored is what the caller gave: consumers apply the schema's defaults and transformations.
    await validate<unknown>(schema, data, refused);
    const { signal, deadline } = inherited();
    const late = deadline?.getTime() ?? Date.now() + publishMs;
    const publish = async () => {
      await this.#configure();
      return open().publish(this.topic, data ?? null, { ...options, ...scope(), id, signal });
    };
    return patiently(publish, late, signal);
  }

  /**
   * The group's next events. With `autoAck` each counts as handled when the next is asked for: a loop body that throws, or a process that dies, leaves
   * its event to be delivered again. When the server goes away the consumer takes up again as soon as it is back. Throws when the first connection
   * fails.
   */
  consume(options: ConsumeOptions = {}): AsyncGenerator<DeliveredEvent<Output>, void, undefined> {
    const call = `stream("${this.topic}").consume`;
    const example = `for await (const { data } of ${call}({ group: "…" })) { … }, or stream("${this.topic}").handle({ group: "…" }, async (data) => { … })`;
    checkOptions(options, { call, example });
    return this.#consume(options);
  }

  async *#consume({
    maxUnanswered = defaultUnanswered,
    signal: own,
    ...options
  }: ConsumeOptions): AsyncGenerator<DeliveredEvent<Output>, void, undefined> {
    const signal = inheritedSignal(own);
    const consume = async () => {
      await this.#configure();
      return open().consume(this.topic, { ...options, ...scope(), maxUnanswered, signal });
    };
    for await (const delivery of resubscribed(consume, signal)) {
      const event = await this.#delivered(delivery);
      if (event !== undefined) yield event;
    }
  }

  /**
   * Calls the handler with every event of the group until the signal aborts: what it finishes is handled, what it fails is a line in the log and
   * comes again, with the error's message as the reason. Throws when the first connection fails.
   */
  async handle(given: HandleOptions, handler: (data: Output, event: DeliveredEvent<Output>) => unknown): Promise<void> {
    const call = `stream("${this.topic}").handle`;
    checkHandle(given, handler, { call, example: `${call}({ group: "…" }, async (data, event) => { … })` });
    const { concurrency = 1, ...options } = given;
    const running = new Set<Promise<void>>();
    const maxUnanswered = options.maxUnanswered ?? defaultUnanswered + concurrency;
    for await (const event of this.consume({ ...options, maxUnanswered, autoAck: false })) {
      const run = handled(event, options.group, handler).finally(() => running.delete(run));
      running.add(run);
      if (running.size >= concurrency) await Promise.race(running);
    }
    await Promise.all(running);
  }

  /** Events in order; fewer than the limit when they are large. Throws for an event that isn't JSON, doesn't match the schema, or is damaged. */
  async read(options: ReadOptions = {}): Promise<Event<Output>[]> {
    const { events, damaged } = await open().read(this.topic, { ...options, ...scope(), signal: inherited().signal });
    const [first] = damaged;
    if (first !== undefined)
      throw MicroError.internal(
        "events.Store.Read",
        `event ${first.offset} of "${this.topic}" can't be read (${first.reason}). Read around it with from and until, or all others with replay`,
      );
    return Promise.all(events.map((event) => this.#read(event)));
  }

  /** All events of a range, in order. */
  async *replay(options: ReplayOptions = {}): AsyncGenerator<Event<Output>, void, undefined> {
    const all = open().replay(this.topic, { ...options, ...scope(), signal: inherited().signal });
    for await (const event of all) yield await this.#read(event);
  }

  /** Moves a group: its consumers get what comes from that position on. Returns the offset. */
  async seek(group: string, to: Position): Promise<number> {
    return open().seek(this.topic, group, to, { ...scope(), signal: inherited().signal });
  }

  /** Deletes all events and groups of the topic, for good: consumers throw 404, wherever they are. Its dead letters, a topic of their own, stay. */
  async delete(): Promise<void> {
    this.#configured = undefined;
    await open().deleteTopic(this.topic, { ...scope(), signal: inherited().signal });
  }

  /** Deletes a group with its position: its consumers throw 404, and it begins anew when it is used again. */
  async deleteGroup(group: string): Promise<void> {
    await open().deleteGroup(this.topic, group, { ...scope(), signal: inherited().signal });
  }

  /** Once for this process, and again after a failure. */
  async #configure(): Promise<void> {
    const { retention } = this.#options;
    if (retention === undefined) return;
    this.#configured ??= open().configure(this.topic, retention, scope());
    try {
      await this.#configured;
    } catch (error) {
      this.#configured = undefined;
      throw error;
    }
  }

  async #read(event: StreamEvent): Promise<Event<Output>> {
    const data = await this.#data(event, (issues) =>
      MicroError.internal("events.Store.Read", `event ${event.offset} of "${this.topic}" ${issues}`),
    );
    return eventOf(event, data);
  }

  /** Undefined for what consumers can do nothing with: it is a dead letter from then on. */
  async #delivered(delivery: Delivery): Promise<DeliveredEvent<Output> | undefined> {
    const { event, attempt } = delivery;
    try {
      const data = await this.#data(event, (issues) => MicroError.badRequest("events.Stream.Consume", `it ${issues}`));
      return {
        ...eventOf(event, data),
        attempt,
        ack: () => delivery.ack(),
        nack: (reason) => delivery.nack(reason),
        reject: (reason) => delivery.reject(reason),
        extend: () => delivery.extend(),
      };
    } catch (error) {
      const { detail } = MicroError.from(error, "events");
      const { topic, offset } = event;
      processLog().error("an event that consumers can't use is a dead letter now", { topic, offset, error: detail });
      await delivery.reject(detail);
      return undefined;
    }
  }

  async #data({ payload }: StreamEvent, refused: (issues: string) => MicroError): Promise<Output> {
    let data: unknown;
    try {
      data = JSON.parse(Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString());
    } catch {
      throw refused("is not JSON");
    }
    return validate(this.#options.schema, data, (issues) => refused(`doesn't match the schema: ${issues}`));
  }
}

function scope() {
  return { namespace: connection().env.namespace };
}

function eventOf<T>({ id, topic, offset, timestamp, metadata }: StreamEvent, data: T): Event<T> {
  return { id, topic, offset, timestamp, metadata, data };
}

async function handled<T>(
  event: DeliveredEvent<T>,
  group: string,
  handler: (data: T, event: DeliveredEvent<T>) => unknown,
): Promise<void> {
  try {
    await handler(event.data, event);
  } catch (error) {
    const { topic, offset, attempt } = event;
    const why = error instanceof Error ? error.stack : error;
    processLog().error("an event was not handled", { topic, group, offset, attempt, error: why });
    await event.nack(error instanceof Error ? error.message : String(error));
    return;
  }
  await event.ack();
}

/** Again and again while the server is away, in time. */
async function patiently<R>(attempt: () => Promise<R>, late: number, signal: AbortSignal | undefined): Promise<R> {
  for (let pause = firstPauseMs; ; pause = Math.min(2 * pause, maxPauseMs)) {
    try {
      return await attempt();
    } catch (error) {
      if (!isLost(error) || Date.now() + pause >= late) throw error;
      await delay(pause, undefined, { ...(signal && { signal }) });
    }
  }
}
