import type { ConsumeOptions, Delivery, EventsDriver, NewEvent, StreamEvent } from "@microts/blocks/events";
import { type Log, MicroError, silent } from "@microts/core";
import { EventConsumer } from "./event-consumer.ts";
import { EventGroup } from "./event-group.ts";
import { EventLog, sweepEvents } from "./events-log.ts";
import type { EmbeddedDatabase } from "./sqlite/index.ts";

export interface EmbeddedEventsOptions {
  readonly database: EmbeddedDatabase;
  readonly log?: Log | undefined;
  /** How often what has expired is deleted, in milliseconds. Default a minute. */
  readonly sweepMs?: number | undefined;
}

interface OpenGroup {
  readonly group: EventGroup;
  readonly opened: Promise<void>;
}

const maxReadBytes = 16 * 1024 * 1024;

/** Streams in SQLite, for the one process that owns the file: published once they are on disk, groups' positions too. The database stays the caller's to close. */
export class EmbeddedEvents implements EventsDriver {
  readonly name = "embedded";
  readonly #database: EmbeddedDatabase;
  readonly #log: Log;
  readonly #timer: NodeJS.Timeout;
  /** Groups in use by topic, and by name in it; one-off groups have a symbol of their own. */
  readonly #topics = new Map<string, Map<string | symbol, OpenGroup>>();
  #closed = false;

  constructor({ database, log = silent, sweepMs = 60_000 }: EmbeddedEventsOptions) {
    this.#database = database;
    this.#log = log;
    this.#timer = setInterval(() => void this.#sweep(), sweepMs).unref();
  }

  async publish(namespace: string, topic: string, event: NewEvent, signal: AbortSignal): Promise<void> {
    const stored = await new EventLog(this.#database, namespace, topic).append(event, signal);
    for (const { group } of this.#topics.get(`${namespace}/${topic}`)?.values() ?? []) group.published(stored);
  }

  async consume(namespace: string, options: ConsumeOptions, signal: AbortSignal): Promise<AsyncIterable<Delivery>> {
    signal.throwIfAborted();
    if (this.#closed) throw MicroError.unavailable("events.Stream.Consume", "the server is stopping");
    const name = options.group === "" ? Symbol("one-off") : options.group;
    const open = this.#open(namespace, options, name);
    // In the group from here on, so that nothing takes it for unused while its position is read.
    const consumer = new EventConsumer(open.group, options, signal, () => this.#dropIdle(namespace, options.topic));
    try {
      await open.opened;
    } catch (error) {
      consumer.end();
      throw error;
    }
    return consumer;
  }

  async read(
    namespace: string,
    topic: string,
    limit: number,
    offset: number,
    signal: AbortSignal,
  ): Promise<StreamEvent[]> {
    return new EventLog(this.#database, namespace, topic).read(offset, limit, maxReadBytes, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    const groups = this.#openGroups();
    for (const group of groups) group.close();
    await Promise.allSettled(groups.map((group) => group.save()));
    this.#topics.clear();
  }

  #open(namespace: string, { topic, group, from }: ConsumeOptions, name: string | symbol): OpenGroup {
    const key = `${namespace}/${topic}`;
    const groups = this.#topics.get(key) ?? new Map<string | symbol, OpenGroup>();
    this.#topics.set(key, groups);
    const known = groups.get(name);
    if (known !== undefined) return known;
    const fresh = new EventGroup(new EventLog(this.#database, namespace, topic), group, this.#log);
    const open = { group: fresh, opened: fresh.open(from) };
    // Told to every consumer that waits for it; the next one tries again.
    open.opened.catch(() => groups.delete(name));
    groups.set(name, open);
    return open;
  }

  #dropIdle(namespace: string, topic: string): void {
    const key = `${namespace}/${topic}`;
    const groups = this.#topics.get(key);
    for (const [name, { group }] of groups ?? []) if (group.isIdle) void this.#drop(key, name, group);
  }

  /** Whoever comes while its progress goes to disk finds it still here, and keeps it. */
  async #drop(key: string, name: string | symbol, group: EventGroup): Promise<void> {
    try {
      await group.save();
    } catch (error) {
      this.#log.warn("a group's progress could not be saved: it will get some events again", { error });
    }
    const groups = this.#topics.get(key);
    if (!group.isIdle || groups?.get(name)?.group !== group) return;
    groups.delete(name);
    group.close();
    if (groups.size === 0) this.#topics.delete(key);
  }

  #openGroups(): EventGroup[] {
    return [...this.#topics.values()].flatMap((groups) => [...groups.values()].map(({ group }) => group));
  }

  async #sweep(): Promise<void> {
    try {
      // A group that waits for its next event for months is in use all the same.
      await Promise.all(this.#openGroups().map((group) => group.save()));
      for (const [key, groups] of this.#topics) {
        for (const [name, { group }] of groups) if (group.isIdle) await this.#drop(key, name, group);
      }
      await sweepEvents(this.#database);
    } catch (error) {
      if (!this.#closed) this.#log.warn("expired events could not be deleted", { error });
    }
  }
}
