import type { ConsumeOptions, StreamEvent } from "@microts/blocks/events";
import { type Log, MicroError } from "@microts/core";
import { EventProgress } from "./event-progress.ts";
import type { EventLog } from "./events-log.ts";

/** A consumer as its group sees it. */
export interface GroupMember {
  readonly options: ConsumeOptions;
  /** How many events it has and has not answered. The group counts. */
  held: number;
  /** Receives the event it asked for by `pull`. */
  take(given: Given): void;
  /** Ends it: the group is closing. */
  end(): void;
}

/** An event that was given out and not yet answered. */
export interface Given {
  readonly event: StreamEvent;
  readonly attempt: number;
  /** Who has it; undefined while it waits to be given out again. */
  consumer: GroupMember | undefined;
  timer: NodeJS.Timeout | undefined;
}

const fetchEvents = 128;
const fetchBytes = 4 * 1024 * 1024;
/** Beyond so much unanswered, a consumer or a group gets no more until answers come. */
const maxGivenToOne = 256;
const maxGiven = 4096;
const maxGivenBytes = 64 * 1024 * 1024;
/** How far a group runs ahead of an event that nobody handles. */
const maxAhead = 10_000;
const firstRetryMs = 100;
const maxRetryMs = 10_000;
const fetchRetryMs = 1000;
const keepMs = 10 * 60_000;
const never = new AbortController().signal;

/**
 * The consumers of one group. Events come from the topic in order into a small buffer and go to whichever consumer has waited longest. What
 * is answered is kept in the group's progress, which is on disk before an ack resolves.
 */
export class EventGroup {
  readonly #log: Log;
  readonly #events: EventLog;
  readonly #name: string;
  readonly #consumers = new Set<GroupMember>();
  #waiting: GroupMember[] = [];
  #buffer: StreamEvent[] = [];
  readonly #given = new Map<number, Given>();
  #givenBytes = 0;
  #again: Given[] = [];
  #progress = new EventProgress({ position: 0, done: [] });
  #next = 0;
  #end = 0;
  #fetching = true;
  #closed = false;
  #lastUse = Date.now();
  #saving: Promise<void> | undefined;
  #nextSave: Promise<void> | undefined;

  constructor(events: EventLog, name: string, log: Log) {
    this.#events = events;
    this.#name = name;
    this.#log = log.with({ namespace: events.namespace, topic: events.topic, group: name });
  }

  /** Finds the group's position, or sets it. Events published meanwhile are not missed. */
  async open(from: ConsumeOptions["from"]): Promise<void> {
    const { end, ...progress } = await this.#events.join(this.#name, from);
    this.#progress = new EventProgress(progress);
    this.#next = progress.position;
    this.#end = Math.max(this.#end, end);
    this.#fetching = false;
  }

  /**
   * Whether it may be dropped from memory: nobody consumes, and nothing waits for an answer or another try. What waits only for another try is
   * kept ten minutes, so that its attempts count on when a consumer comes back.
   */
  get isIdle(): boolean {
    if (this.#consumers.size > 0) return false;
    if (this.#name === "" || this.#given.size === 0) return true;
    return this.#given.size === this.#again.length && Date.now() - this.#lastUse > keepMs;
  }

  /** An event was appended to the topic. */
  published(event: StreamEvent): void {
    if (event.offset < this.#end) return;
    const follows = event.offset === this.#end && this.#next === this.#end && !this.#fetching;
    this.#end = event.offset + 1;
    if (follows && this.#buffer.length < fetchEvents && this.#consumers.size > 0) {
      this.#buffer.push(event);
      this.#next = this.#end;
    }
    this.#pump();
  }

  attach(consumer: GroupMember): void {
    this.#consumers.add(consumer);
  }

  /** Takes a consumer away. What it holds goes to the others at once if it left, and when its wait is over if it broke off. */
  detach(consumer: GroupMember, left: boolean): void {
    if (!this.#consumers.delete(consumer)) return;
    this.#waiting = this.#waiting.filter((each) => each !== consumer);
    for (const given of this.#given.values()) if (left && given.consumer === consumer) this.#requeue(given);
    this.#lastUse = Date.now();
    this.#pump();
  }

  /** The consumer is ready for an event; it gets one by `take`. */
  pull(consumer: GroupMember): void {
    this.#waiting.push(consumer);
    this.#pump();
  }

  /** Resolves when it is on disk that the event is done. */
  async ack(given: Given): Promise<void> {
    if (!this.#settle(given)) return;
    this.#progress.add(given.event.offset);
    this.#pump();
    await this.save();
  }

  /** Gives the event out again after a while, or drops it when it was tried often enough. */
  async nack(given: Given): Promise<void> {
    if (this.#given.get(given.event.offset) !== given || given.consumer === undefined) return;
    await this.#retry(given, Math.min(firstRetryMs * 2 ** (given.attempt - 1), maxRetryMs));
  }

  /** Resolves when the progress made so far is on disk. Saves that are asked for while one runs become one. */
  save(): Promise<void> {
    if (this.#name === "") return Promise.resolve();
    this.#nextSave ??= (this.#saving ?? Promise.resolve()).then(() => {
      this.#nextSave = undefined;
      const saving = this.#events.save(this.#name, this.#progress.snapshot());
      this.#saving = saving.catch(() => {});
      return saving;
    });
    return this.#nextSave;
  }

  close(): void {
    this.#closed = true;
    for (const { timer } of this.#given.values()) clearTimeout(timer);
    for (const consumer of this.#consumers) consumer.end();
    this.#given.clear();
  }

  #pump(): void {
    while (!this.#closed && this.#given.size - this.#again.length < maxGiven && this.#givenBytes < maxGivenBytes) {
      const at = this.#waiting.findIndex((consumer) => consumer.held < maxGivenToOne);
      const consumer = this.#waiting[at];
      if (consumer === undefined) return;
      const given = this.#again.shift() ?? this.#fresh();
      if (given === undefined) return void this.#fetch();
      this.#waiting.splice(at, 1);
      this.#give(given, consumer);
    }
  }

  #fresh(): Given | undefined {
    if (this.#progress.ahead > maxAhead) return undefined;
    for (let event = this.#buffer.shift(); event !== undefined; event = this.#buffer.shift()) {
      if (this.#progress.has(event.offset) || this.#given.has(event.offset)) continue;
      this.#givenBytes += event.payload.length;
      return { event, attempt: 0, consumer: undefined, timer: undefined };
    }
    return undefined;
  }

  #give({ event, attempt }: Given, consumer: GroupMember): void {
    const given: Given = { event, attempt: attempt + 1, consumer, timer: undefined };
    this.#given.set(event.offset, given);
    if (!consumer.options.autoAck) {
      const overdue = () =>
        this.#retry(given, 0).catch((error: unknown) => this.#log.warn("an event could not be dropped", { error }));
      given.timer = setTimeout(overdue, consumer.options.ackWaitMs).unref();
    }
    consumer.held++;
    consumer.take(given);
  }

  /** Takes an event off those that wait for an answer; false when it was answered already, by whoever had it. */
  #settle(given: Given): boolean {
    const { offset, payload } = given.event;
    const current = this.#given.get(offset);
    if (current === undefined) return false;
    clearTimeout(current.timer);
    if (current.consumer !== undefined) current.consumer.held--;
    this.#again = this.#again.filter((each) => each !== current);
    this.#given.delete(offset);
    this.#givenBytes -= payload.length;
    return true;
  }

  async #retry(given: Given, waitMs: number): Promise<void> {
    const { event, attempt, consumer } = given;
    const limit = consumer?.options.retryLimit ?? -1;
    if (limit >= 0 && attempt > limit) {
      this.#log.warn("event dropped: nobody handled it", { event: event.id, offset: event.offset, attempts: attempt });
      return this.ack(given);
    }
    clearTimeout(given.timer);
    if (waitMs === 0) this.#requeue(given);
    else given.timer = setTimeout(() => this.#requeue(given), waitMs).unref();
    this.#pump();
  }

  #requeue(given: Given): void {
    if (this.#given.get(given.event.offset) !== given || this.#again.includes(given)) return;
    clearTimeout(given.timer);
    given.timer = undefined;
    if (given.consumer !== undefined) given.consumer.held--;
    given.consumer = undefined;
    this.#again.push(given);
    this.#pump();
  }

  #take(event: StreamEvent): void {
    this.#progress.skip(this.#next, event.offset);
    this.#buffer.push(event);
    this.#next = event.offset + 1;
  }

  /** Fills the buffer with what comes next in the topic. */
  async #fetch(): Promise<void> {
    if (this.#fetching || this.#next >= this.#end || this.#progress.ahead > maxAhead) return;
    this.#fetching = true;
    const end = this.#end;
    try {
      const events = await this.#events.read(this.#next, fetchEvents, fetchBytes, never);
      for (const event of events) this.#take(event);
      if (events.length === 0) {
        this.#progress.skip(this.#next, end);
        this.#next = end;
      }
      this.#end = Math.max(this.#end, this.#next);
    } catch (error) {
      if (this.#closed) return;
      this.#log.warn("events could not be read, trying again", {
        error: MicroError.from(error, "events.Stream.Consume"),
      });
      await new Promise((resolve) => setTimeout(resolve, fetchRetryMs).unref());
    } finally {
      this.#fetching = false;
    }
    this.#pump();
  }
}
