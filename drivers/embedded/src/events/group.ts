import type { Damage, StreamEvent } from "@microts/blocks/events";
import type { Log } from "@microts/core";
import type { Now } from "../clock.ts";
import type { GroupRecords } from "./group-record.ts";
import { Lookahead } from "./lookahead.ts";
import { type Given, type GroupMember, Outstanding } from "./outstanding.ts";
import { EventProgress } from "./progress.ts";
import type { TopicLog } from "./topic-log.ts";

/** An event that nobody handled, and why. `event` is undefined when it can't be read. */
export interface DeadLetter {
  readonly to: string | undefined;
  readonly group: string;
  readonly offset: number;
  readonly attempts: number;
  readonly reason: string;
  readonly event: StreamEvent | undefined;
}

export interface EventGroupOptions {
  /** "" for a group of one consumer that leaves no trace. */
  readonly name: string;
  readonly topic: TopicLog;
  readonly records: GroupRecords;
  readonly log: Log;
  readonly now: Now;
  /** Resolves when the letter is on disk. */
  bury(letter: DeadLetter): Promise<void>;
}

/** Beyond so much unanswered, the group gets no more until answers come. */
const maxOut = 16_384;
const maxOutBytes = 64 * 1024 * 1024;
/** How patchy a group's progress may become: each save writes all of it. */
const maxStretches = 5_000;
const firstRetryMs = 100;
const maxRetryMs = 10_000;
const buryAgainMs = 1000;
const keepMs = 10 * 60_000;
/** When a save has been asked for so often while the last one ran, the next one waits so long for more: it is a busy group, and each save is a write. */
const busySaves = 16;
const busyPauseMs = 5;

/**
 * The consumers of one group. Events come from the topic in order and go to whichever consumer has waited longest. What is answered is kept
 * in the group's progress, which is on disk before an ack resolves.
 */
export class EventGroup {
  readonly #options: EventGroupOptions;
  readonly #consumers = new Set<GroupMember>();
  #waiting: GroupMember[] = [];
  #outstanding = new Outstanding();
  /** How often an event was tried in vain. */
  #tried = new Map<number, number>();
  #progress = new EventProgress({ position: 0, runs: [] });
  #lookahead: Lookahead | undefined;
  #closed = false;
  #isGone = false;
  #lastUse = performance.now();
  #saving: Promise<void> | undefined;
  #nextSave: Promise<void> | undefined;
  /** How often the next save has been asked for. */
  #saves = 0;

  constructor(options: EventGroupOptions) {
    this.#options = options;
  }

  /** Finds the group's position, or sets it. Events published meanwhile are not missed. */
  async open(position: number): Promise<void> {
    const { name, records, topic, log, now } = this.#options;
    const fresh = { progress: { position, runs: [] }, tried: new Map() };
    const { progress, tried } = name === "" ? fresh : await records.join(name, position, now());
    this.#progress = new EventProgress(progress);
    this.#tried = new Map(tried);
    const onDamaged = (damage: Damage) => this.#buryDamaged(damage);
    this.#lookahead = new Lookahead(this.#progress, { topic, log, now, onDamaged, onFilled: () => this.#pump() });
    this.#pump();
  }

  /**
   * Whether it may be dropped from memory: nobody consumes, and nothing waits for an answer or another try. What waits only for another try is
   * kept ten minutes, in case a consumer comes back.
   */
  get isIdle(): boolean {
    if (this.#consumers.size > 0) return false;
    if (this.#options.name === "" || this.#outstanding.size === 0) return true;
    return this.#outstanding.out === 0 && performance.now() - this.#lastUse > keepMs;
  }

  info(): { readonly position: number; readonly lag: number; readonly unanswered: number; readonly consumers: number } {
    const lag = this.#progress.left(this.#options.topic.next);
    const { size } = this.#outstanding;
    return { position: this.#progress.position, lag, unanswered: size, consumers: this.#consumers.size };
  }

  /** Events were appended to the topic. */
  published(events: readonly StreamEvent[]): void {
    if (this.#consumers.size > 0) this.#lookahead?.offer(events);
    this.#pump();
  }

  attach(consumer: GroupMember): void {
    this.#consumers.add(consumer);
  }

  /** Takes a consumer away. What it holds goes to the others at once if it left, and when its wait is over if it broke off. */
  detach(consumer: GroupMember, left: boolean): void {
    if (!this.#consumers.delete(consumer)) return;
    this.#waiting = this.#waiting.filter((each) => each !== consumer);
    if (left) for (const given of this.#outstanding.heldBy(consumer)) this.#handOn(given);
    this.#lastUse = performance.now();
    this.#pump();
  }

  /** The consumer is ready for an event; it gets one by `take`. */
  pull(consumer: GroupMember): void {
    this.#waiting.push(consumer);
    this.#pump();
  }

  /** Resolves when it is on disk that the event is done. A late answer counts as long as nobody else's came. */
  async ack(given: Given): Promise<void> {
    if (!given.isReturned) await this.#settle(given);
  }

  /** Gives the event out again after a while, or buries it when it was tried often enough. */
  async nack(given: Given, reason = "not handled"): Promise<void> {
    if (!this.#takesBack(given)) return;
    this.#retry(given, reason, Math.min(firstRetryMs * 2 ** (given.attempt - 1), maxRetryMs));
  }

  /** Buries the event; resolves when that is on disk, or after a first failure, from when on it is tried until it is. */
  async reject(given: Given, reason: string): Promise<void> {
    if (this.#takesBack(given)) await this.#bury(given, given.consumer?.options.deadLetter, reason);
  }

  /** Nobody has looked at it: it goes to the next who asks, as if it had not been given out. */
  async release(given: Given): Promise<void> {
    if (this.#takesBack(given)) this.#again(given);
  }

  /** The wait for the answer begins anew. */
  async extend(given: Given): Promise<void> {
    if (this.#outstanding.isCurrent(given)) given.timer?.refresh();
  }

  /** Goes on from another place; resolves when that is on disk. */
  async seek(position: number): Promise<void> {
    this.#outstanding.clear();
    this.#outstanding = new Outstanding();
    this.#tried.clear();
    this.#progress = new EventProgress({ position, runs: [] });
    this.#lookahead?.reset(this.#progress);
    this.#pump();
    await this.save();
  }

  /** Resolves when the progress made so far is on disk. Saves that are asked for while one runs, or soon after when many are, become one. */
  save(): Promise<void> {
    if (this.#options.name === "" || this.#isGone) return Promise.resolve();
    this.#nextSave ??= this.#saveNext(this.#saving);
    this.#saves++;
    return this.#nextSave;
  }

  async #saveNext(running: Promise<void> | undefined): Promise<void> {
    const { name, records, now } = this.#options;
    await running;
    if (this.#saves > busySaves && !this.#closed) await new Promise((resolve) => setTimeout(resolve, busyPauseMs));
    this.#nextSave = undefined;
    this.#saves = 0;
    const saving = records.save(name, { progress: this.#progress.stored(), tried: this.#tried }, now());
    this.#saving = saving.catch(() => {});
    await saving;
  }

  /** With a reason, which its consumers get, when the group is gone for good: nothing of it goes to disk from then on. */
  close(reason?: Error): void {
    this.#closed = true;
    for (const consumer of this.#consumers) consumer.end(reason);
    this.#outstanding.clear();
    if (reason !== undefined) this.#isGone = true;
  }

  /** Resolves when nothing of it is on its way to disk. */
  async settled(): Promise<void> {
    await this.#nextSave?.catch(() => {});
    await this.#saving;
  }

  #pump(): void {
    const outstanding = this.#outstanding;
    while (!this.#closed && outstanding.out < maxOut && outstanding.bytes < maxOutBytes) {
      const at = this.#waiting.findIndex(({ held, options }) => held < options.maxUnanswered);
      const consumer = this.#waiting[at];
      if (consumer === undefined) return;
      const event = outstanding.again()?.event ?? this.#fresh();
      if (event === undefined) {
        this.#lookahead?.fill();
        return;
      }
      this.#waiting.splice(at, 1);
      this.#give(event, consumer);
    }
  }

  #fresh(): StreamEvent | undefined {
    return this.#progress.stretches > maxStretches ? undefined : this.#lookahead?.shift();
  }

  #give(event: StreamEvent, consumer: GroupMember): void {
    const { ackWaitMs } = consumer.options;
    const given = this.#outstanding.give(event, (this.#tried.get(event.offset) ?? 0) + 1, consumer);
    const overdue = () => this.#retry(given, `not answered within ${ackWaitMs} ms`, 0);
    given.timer = setTimeout(overdue, ackWaitMs).unref();
    consumer.take(given);
  }

  async #settle({ owner, event }: Given): Promise<void> {
    if (owner !== this.#outstanding || !owner.settle(event.offset)) return;
    this.#tried.delete(event.offset);
    this.#progress.add(event.offset);
    this.#pump();
    await this.save();
  }

  #takesBack(given: Given): boolean {
    if (given.isReturned || !this.#outstanding.isCurrent(given)) return false;
    given.isReturned = true;
    return true;
  }

  #retry(given: Given, reason: string, waitMs: number): void {
    const { retryLimit = -1, deadLetter } = given.consumer?.options ?? {};
    if (retryLimit >= 0 && given.attempt > retryLimit) {
      void this.#bury(given, deadLetter, reason);
      return;
    }
    this.#countTry(given);
    this.#outstanding.withdraw(given);
    if (waitMs === 0) this.#again(given);
    else given.timer = setTimeout(() => this.#again(given), waitMs).unref();
  }

  /** A consumer that leaves has tried, but that alone makes no dead letter. */
  #handOn(given: Given): void {
    this.#countTry(given);
    this.#again(given);
  }

  /** Gives the event to the next who asks. */
  #again(given: Given): void {
    if (given.owner.requeue(given)) this.#pump();
  }

  #countTry({ event, attempt }: Given): void {
    this.#tried.set(event.offset, attempt);
    this.save().catch((error: unknown) => this.#options.log.warn("a group's tries could not be saved", { error }));
  }

  async #bury(given: Given, to: string | undefined, reason: string): Promise<void> {
    const { event, attempt } = given;
    given.owner.withdraw(given);
    this.#pump();
    try {
      const { name: group } = this.#options;
      await this.#options.bury({ to, group, offset: event.offset, attempts: attempt, reason, event });
    } catch (error) {
      this.#options.log.warn("a dead letter could not be written, trying again", { offset: event.offset, error });
      if (given.owner.has(event.offset))
        given.timer = setTimeout(() => void this.#bury(given, to, reason), buryAgainMs).unref();
      return;
    }
    await this.#settle(given).catch((error: unknown) =>
      this.#options.log.warn("a group's progress could not be saved: it may get an event again", { error }),
    );
  }

  async #buryDamaged({ offset, count, reason }: Damage): Promise<void> {
    const { name: group } = this.#options;
    const text = reason === "checksum" ? "damaged on disk" : "missing on disk";
    const [member] = this.#consumers;
    const to = member?.options.deadLetter;
    const many = count === 1 ? text : `${text}: ${count} events from offset ${offset} on`;
    await this.#options.bury({ to, group, offset, attempts: 0, reason: many, event: undefined });
  }
}
