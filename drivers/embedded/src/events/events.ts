import type {
  ConsumeOptions,
  Delivery,
  EventPage,
  EventsDriver,
  GroupInfo,
  NewEvent,
  Position,
  Published,
  ReadRange,
  TopicInfo,
  TopicSettings,
} from "@microts/blocks/events";
import { type Log, MicroError, silent } from "@microts/core";
import { type Now, steadyClock } from "../clock.ts";
import type { EmbeddedDatabase } from "../sqlite/index.ts";
import { letterOf } from "./dead-letter.ts";
import type { DeadLetter } from "./group.ts";
import { OpenTopic, type OpenTopicOptions } from "./open-topic.ts";
import { Retention } from "./retention.ts";
import { listTopics, unusedTopics } from "./topics.ts";

export interface EmbeddedEventsOptions {
  readonly database: EmbeddedDatabase;
  readonly log?: Log | undefined;
  /** How often what has expired is deleted, in milliseconds. Default a minute. */
  readonly sweepMs?: number | undefined;
  /** How long the id of an event is remembered where a topic doesn't say, in milliseconds. Default two minutes. */
  readonly dedupeMs?: number | undefined;
  /** The machine's clock. Default `Date.now`. */
  readonly now?: Now | undefined;
}

const maxReadBytes = 4 * 1024 * 1024;
const never = new AbortController().signal;

/** Streams in SQLite, for the one process that owns the file: published once they are on disk, groups' positions too. The database stays the caller's to close. */
export class EmbeddedEvents implements EventsDriver {
  readonly name = "embedded";
  readonly #database: EmbeddedDatabase;
  readonly #log: Log;
  readonly #now: Now;
  readonly #timer: NodeJS.Timeout;
  readonly #retention: Retention;
  readonly #options: OpenTopicOptions;
  readonly #topics = new Map<string, Promise<OpenTopic | undefined>>();
  /** Those of them that publishers need not wait for. */
  readonly #opened = new Map<string, OpenTopic>();
  #closed = false;

  constructor({ database, log = silent, sweepMs = 60_000, dedupeMs = 120_000, now = Date.now }: EmbeddedEventsOptions) {
    this.#database = database;
    this.#log = log;
    this.#now = steadyClock(now);
    this.#retention = new Retention(database, log, this.#now);
    this.#options = {
      database,
      log,
      now: this.#now,
      dedupeMs,
      bury: (topic, letter) => this.#bury(topic, letter),
      onAppended: (topic) => this.#retention.appended(topic.log),
      onLeft: (topic) => void this.#prune(topic),
    };
    this.#timer = setInterval(() => void this.#sweep(), sweepMs).unref();
  }

  async publish(namespace: string, topic: string, event: NewEvent, signal: AbortSignal): Promise<Published> {
    signal.throwIfAborted();
    const open = this.#opened.get(`${namespace}/${topic}`);
    if (open !== undefined) return await open.writer.append(event, signal);
    return this.#use(namespace, topic, ({ writer }) => writer.append(event, signal));
  }

  async consume(namespace: string, options: ConsumeOptions, signal: AbortSignal): Promise<AsyncIterable<Delivery>> {
    signal.throwIfAborted();
    return this.#use(namespace, options.topic, (open) => open.consume(options, signal));
  }

  async read(namespace: string, topic: string, range: ReadRange, signal: AbortSignal): Promise<EventPage> {
    const open = await this.#open(namespace, topic, false);
    if (open === undefined) return { events: [], damaged: [], next: 0, first: 0, end: 0 };
    const { from, until, limit } = range;
    const bounds = {
      from: await open.locate(from, signal),
      until: until === undefined ? Number.POSITIVE_INFINITY : await open.locate(until, signal),
    };
    return open.log.readEncoded({ ...bounds, limit, maxBytes: maxReadBytes }, this.#now(), signal);
  }

  topics(namespace: string, signal: AbortSignal): Promise<TopicInfo[]> {
    return listTopics(this.#database, namespace, signal);
  }

  async groups(namespace: string, topic: string, signal: AbortSignal): Promise<GroupInfo[]> {
    return (await (await this.#open(namespace, topic, false))?.groupInfos(signal)) ?? [];
  }

  async seek(namespace: string, topic: string, group: string, to: Position, signal: AbortSignal): Promise<number> {
    return this.#use(namespace, topic, (open) => open.seek(group, to, signal));
  }

  async configure(namespace: string, topic: string, settings: TopicSettings, signal: AbortSignal): Promise<void> {
    await this.#use(namespace, topic, async ({ log }) => {
      await log.configure(settings, signal);
      await this.#retention.trim(log);
    });
  }

  async deleteTopic(namespace: string, topic: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const open = await this.#open(namespace, topic, false);
    if (open === undefined) throw missing("DeleteTopic", `the topic "${topic}"`, namespace);
    // Somebody else is at it.
    if (open.writer.isPaused) return this.deleteTopic(namespace, topic, signal);
    await this.#delete(open, { unusedOnly: false });
    this.#free();
  }

  async deleteGroup(namespace: string, topic: string, group: string, signal: AbortSignal): Promise<void> {
    const open = await this.#open(namespace, topic, false);
    if (!(await open?.deleteGroup(group, signal)))
      throw missing("DeleteGroup", `the group "${group}" of the topic "${topic}"`, namespace);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#opened.clear();
    clearInterval(this.#timer);
    const open = await Promise.allSettled(this.#topics.values());
    const topics = open.flatMap((each) => (each.status === "fulfilled" ? (each.value ?? []) : []));
    await Promise.all(topics.map((topic) => topic.close()));
    await this.#retention.stop();
    this.#topics.clear();
  }

  /** Uses a topic, which is made if it isn't there; one that is about to go is made anew. */
  async #use<T>(namespace: string, topic: string, use: (open: OpenTopic) => Promise<T>): Promise<T> {
    for (;;) {
      const open = await this.#made(namespace, topic);
      if (!open.writer.isPaused) return use(open);
    }
  }

  /** Whoever asks for the topic meanwhile waits, and gets a new one; or this one, when it could not be deleted. */
  async #delete(open: OpenTopic, how: { readonly unusedOnly: boolean }): Promise<void> {
    const key = `${open.log.namespace}/${open.log.topic}`;
    open.writer.isPaused = true;
    const deleting = (async () => {
      await open.writer.idle();
      if (!(await open.log.drop(how))) return false;
      await open.leave();
      return true;
    })();
    const left = deleting.then(
      (isGone) => (isGone ? undefined : open),
      () => open,
    );
    this.#opened.delete(key);
    this.#topics.set(key, left);
    const restored = await left;
    if (restored === undefined) this.#forget(key, left);
    else {
      open.writer.isPaused = false;
      if (this.#topics.get(key) === left) this.#opened.set(key, open);
    }
    await deleting;
  }

  #free(): void {
    this.#retention.free().catch((error: unknown) => {
      if (!this.#closed)
        this.#log.warn("the space of a deleted topic could not be freed, trying again in a minute", { error });
    });
  }

  /** A topic that somebody only listened to goes when nobody does anymore, so that a mistyped name leaves nothing behind. */
  async #prune(open: OpenTopic): Promise<void> {
    if (this.#closed || open.writer.isPaused || this.#opened.get(`${open.log.namespace}/${open.log.topic}`) !== open)
      return;
    await this.#delete(open, { unusedOnly: true }).catch((error: unknown) =>
      this.#log.warn("a topic that nobody uses could not be deleted", { topic: open.log.topic, error }),
    );
  }

  async #made(namespace: string, topic: string): Promise<OpenTopic> {
    if (this.#closed) throw MicroError.unavailable("events", "the server is stopping");
    const open = await this.#open(namespace, topic, true);
    if (open === undefined) throw MicroError.internal("events", `the topic "${topic}" could not be made`);
    return open;
  }

  async #open(namespace: string, topic: string, create: boolean): Promise<OpenTopic | undefined> {
    const key = `${namespace}/${topic}`;
    const open = await this.#topics.get(key);
    if (open !== undefined) {
      open.touch();
      return open;
    }
    const opening = this.#topics.get(key) ?? OpenTopic.open(namespace, topic, create, this.#options);
    this.#topics.set(key, opening);
    try {
      const opened = await opening;
      if (opened === undefined) this.#forget(key, opening);
      else if (this.#topics.get(key) === opening) this.#opened.set(key, opened);
      return opened ?? (create ? this.#open(namespace, topic, create) : undefined);
    } catch (error) {
      this.#forget(key, opening);
      throw error;
    }
  }

  #forget(key: string, opening: Promise<OpenTopic | undefined>): void {
    if (this.#topics.get(key) === opening) this.#topics.delete(key);
  }

  async #bury(topic: OpenTopic, letter: DeadLetter): Promise<void> {
    const { namespace, topic: name } = topic.log;
    const { to, event, group, offset, attempts, reason } = letter;
    const message = event === undefined ? "an event can't be read" : "nobody handled an event";
    this.#log.warn(message, {
      namespace,
      topic: name,
      group,
      offset,
      attempts,
      reason,
      goes: to ?? "nowhere: dropped",
    });
    if (to !== undefined) await this.publish(namespace, to, letterOf(name, letter, new Date(this.#now())), never);
  }

  async #sweep(): Promise<void> {
    try {
      for (const [key, opening] of this.#topics) {
        const topic = await opening;
        // A group that waits for its next event for months is in use all the same.
        await topic?.save();
        await topic?.dropIdle();
        // One that is just being deleted keeps its place until it is gone.
        if (!topic?.isIdle || topic.writer.isPaused) continue;
        this.#topics.delete(key);
        this.#opened.delete(key);
      }
      for (const [namespace, name] of await unusedTopics(this.#database)) {
        const topic = await this.#open(namespace, name, false);
        if (topic?.isUnused) await this.#prune(topic);
      }
      await this.#retention.sweep(async (namespace, topic) => (await this.#open(namespace, topic, false))?.log);
    } catch (error) {
      if (!this.#closed) this.#log.warn("expired events could not be deleted", { error });
    }
  }
}

function missing(method: string, what: string, namespace: string): MicroError {
  return MicroError.notFound(`events.Stream.${method}`, `${what} isn't there, in namespace ${namespace}`);
}
