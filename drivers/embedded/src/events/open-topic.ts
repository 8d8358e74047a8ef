import type { ConsumeOptions, GroupInfo, Position, StreamEvent } from "@microts/blocks/events";
import { type Log, MicroError } from "@microts/core";
import type { Now } from "../clock.ts";
import type { EmbeddedDatabase } from "../sqlite/index.ts";
import { EventConsumer } from "./consumer.ts";
import { type DeadLetter, EventGroup } from "./group.ts";
import { GroupRecords, lagOf } from "./group-record.ts";
import { TopicLog } from "./topic-log.ts";
import { TopicWriter } from "./topic-writer.ts";

export interface OpenTopicOptions {
  readonly database: EmbeddedDatabase;
  readonly log: Log;
  readonly now: Now;
  readonly dedupeMs: number;
  bury(topic: OpenTopic, letter: DeadLetter): Promise<void>;
  /** More was appended. */
  onAppended(topic: OpenTopic): void;
  /** Its last group has left memory. */
  onLeft(topic: OpenTopic): void;
}

interface OpenGroup {
  readonly group: EventGroup;
  readonly opened: Promise<void>;
}

const keepMs = 10 * 60_000;

/** A topic in use: its log, who appends to it, and its groups in memory. */
export class OpenTopic {
  readonly log: TopicLog;
  readonly writer: TopicWriter;
  readonly #records: GroupRecords;
  readonly #options: OpenTopicOptions;
  /** By name; one-off groups have a symbol of their own. */
  readonly #groups = new Map<string | symbol, OpenGroup>();
  #lastUse = performance.now();

  private constructor(log: TopicLog, options: OpenTopicOptions) {
    const { database, now, dedupeMs } = options;
    this.log = log;
    this.#options = options;
    this.#records = new GroupRecords(database, log.id);
    this.writer = new TopicWriter(log, { now, dedupeMs, onAppended: (events) => this.#appended(events) });
  }

  /** Undefined when there is no such topic and none is to be made. */
  static async open(
    namespace: string,
    topic: string,
    create: boolean,
    options: OpenTopicOptions,
  ): Promise<OpenTopic | undefined> {
    const log = await TopicLog.open(options.database, namespace, topic, { create });
    return log && new OpenTopic(log, options);
  }

  /** Whether it may be dropped from memory. */
  get isIdle(): boolean {
    return this.#groups.size === 0 && this.writer.isIdle && performance.now() - this.#lastUse > keepMs;
  }

  /** Whether nothing is known of it but its name, so that it need not be there. */
  get isUnused(): boolean {
    return this.#groups.size === 0 && this.writer.isIdle && this.log.next === 0;
  }

  touch(): void {
    this.#lastUse = performance.now();
  }

  /** The offset of a position. */
  async locate(position: Position, signal: AbortSignal): Promise<number> {
    if (position === "latest") return this.log.next;
    if (position === "earliest") return this.log.first;
    if (position instanceof Date) return this.log.atTime(position.getTime(), this.#options.now(), signal);
    return position;
  }

  async consume(options: ConsumeOptions, signal: AbortSignal): Promise<EventConsumer> {
    const name = options.group === "" ? Symbol("one-off") : options.group;
    const open = this.#open(name, options.from);
    // In the group from here on, so that nothing takes it for unused while its position is read.
    const consumer = new EventConsumer(open.group, options, signal, () => void this.dropIdle());
    try {
      await open.opened;
    } catch (error) {
      consumer.end();
      throw error;
    }
    return consumer;
  }

  async seek(name: string, to: Position, signal: AbortSignal): Promise<number> {
    const position = Math.min(Math.max(await this.locate(to, signal), this.log.first), this.log.next);
    const { group, opened } = this.#open(name, position);
    await opened;
    await group.seek(position);
    void this.dropIdle();
    return position;
  }

  async groupInfos(signal: AbortSignal): Promise<GroupInfo[]> {
    const stored = await this.#records.list(signal);
    return stored.map((each) => {
      const { name, progress, usedAt } = each;
      const open = this.#groups.get(name)?.group.info();
      const info = open ?? {
        position: progress.position,
        lag: lagOf(each, this.log.next),
        unanswered: each.tried.size,
        consumers: 0,
      };
      const lag = Math.min(info.lag, this.log.next - this.log.first);
      return { group: name, ...info, lag, usedAt: new Date(usedAt) };
    });
  }

  /** Takes groups that nobody uses out of memory. */
  async dropIdle(): Promise<void> {
    await Promise.all([...this.#groups].map(([name, { group }]) => group.isIdle && this.#drop(name, group)));
    if (this.isUnused) this.#options.onLeft(this);
  }

  /** Resolves when the progress of all groups is on disk. */
  async save(): Promise<void> {
    await Promise.all([...this.#groups.values()].map(({ group }) => group.save()));
  }

  /** False when there is no such group. Its consumers get a 404. */
  async deleteGroup(name: string, signal: AbortSignal): Promise<boolean> {
    const open = this.#groups.get(name);
    // Whatever of it is on its way to disk gets there before, or changes nothing.
    if (!(await this.#records.delete(name, signal))) return false;
    if (open !== undefined && this.#groups.get(name) === open) {
      this.#groups.delete(name);
      open.group.close(this.#gone(`the group "${name}" of the topic "${this.log.topic}" was deleted`));
    }
    void this.dropIdle();
    return true;
  }

  /** The topic was deleted: its consumers get a 404. Resolves when nothing of it is on its way to disk. */
  async leave(): Promise<void> {
    const groups = [...this.#groups.values()];
    this.#groups.clear();
    const gone = this.#gone(`the topic "${this.log.topic}" was deleted`);
    for (const { group } of groups) group.close(gone);
    await Promise.allSettled(groups.map(async ({ group, opened }) => opened.finally(() => group.settled())));
  }

  async close(): Promise<void> {
    const groups = [...this.#groups.values()].map(({ group }) => group);
    for (const group of groups) group.close();
    await Promise.allSettled([this.writer.idle(), ...groups.map((group) => group.save())]);
    this.#groups.clear();
  }

  #open(name: string | symbol, from: Position): OpenGroup {
    const known = this.#groups.get(name);
    if (known !== undefined) return known;
    const { log, now } = this.#options;
    const { namespace, topic } = this.log;
    const text = typeof name === "string" ? name : "";
    const group = new EventGroup({
      name: text,
      topic: this.log,
      records: this.#records,
      log: log.with({ namespace, topic, group: text }),
      now,
      bury: (letter) => this.#options.bury(this, letter),
    });
    const opening = async () => group.open(await this.locate(from, new AbortController().signal));
    const open = { group, opened: opening() };
    // Told to every consumer that waits for it; the next one tries again.
    open.opened.catch(() => this.#groups.delete(name));
    this.#groups.set(name, open);
    return open;
  }

  /** Whoever comes while its progress goes to disk finds it still here, and keeps it. */
  async #drop(name: string | symbol, group: EventGroup): Promise<void> {
    try {
      await group.save();
    } catch (error) {
      this.#options.log.warn("a group's progress could not be saved: it will get some events again", { error });
    }
    if (!group.isIdle || this.#groups.get(name)?.group !== group) return;
    this.#groups.delete(name);
    group.close();
  }

  #gone(detail: string): MicroError {
    return MicroError.notFound("events.Stream.Consume", detail);
  }

  #appended(appended: () => readonly StreamEvent[]): void {
    this.touch();
    if (this.#groups.size > 0) {
      const events = appended();
      for (const { group } of this.#groups.values()) group.published(events);
    }
    this.#options.onAppended(this);
  }
}
