import type { Damage, StreamEvent } from "@microts/blocks/events";
import { type Log, MicroError } from "@microts/core";
import type { Now } from "../clock.ts";
import type { EventProgress } from "./progress.ts";
import type { TopicLog } from "./topic-log.ts";

export interface LookaheadOptions {
  readonly topic: TopicLog;
  readonly log: Log;
  readonly now: Now;
  /** Told of events that can't be read; they are skipped when it resolves. */
  onDamaged(damage: Damage): Promise<void>;
  /** There is more to take, or what was there is gone. */
  onFilled(): void;
}

/** Enough for a whole chunk: what is read of it and not taken has to be read again. */
const maxEvents = 2048;
const maxBytes = 128 * 1024;
/** With fewer than this left, more is read. */
const fewEvents = 128;
const againMs = 1000;
const never = new AbortController().signal;

/** What comes next for a group: read from disk in bounded pieces, or handed over as it is published when the group is up to date. */
export class Lookahead {
  readonly #options: LookaheadOptions;
  #progress: EventProgress;
  #buffer: StreamEvent[] = [];
  #next: number;
  #filling = false;
  #epoch = 0;

  constructor(progress: EventProgress, options: LookaheadOptions) {
    this.#options = options;
    this.#progress = progress;
    this.#next = progress.position;
  }

  /** Goes on from elsewhere. */
  reset(progress: EventProgress): void {
    this.#epoch++;
    this.#filling = false;
    this.#buffer = [];
    this.#progress = progress;
    this.#next = progress.position;
  }

  shift(): StreamEvent | undefined {
    for (;;) {
      const event = this.#buffer.shift();
      if (this.#buffer.length < fewEvents) this.fill();
      if (event === undefined || !this.#progress.has(event.offset)) return event;
    }
  }

  /** What was just appended to the topic: saves reading it when it is what comes next. */
  offer(events: readonly StreamEvent[]): void {
    if (this.#filling || events[0]?.offset !== this.#next) return;
    for (const event of events) {
      if (this.#buffer.length >= maxEvents) return;
      this.#buffer.push(detached(event));
      this.#next = event.offset + 1;
    }
  }

  /** Reads on, unless it does already or there is nothing. */
  fill(): void {
    if (this.#filling || this.#buffer.length >= fewEvents || this.#next >= this.#options.topic.next) return;
    this.#filling = true;
    void this.#fill(this.#epoch);
  }

  async #fill(epoch: number): Promise<void> {
    const { topic, log, now, onDamaged, onFilled } = this.#options;
    try {
      const range = { from: this.#next, until: Number.POSITIVE_INFINITY, limit: maxEvents, maxBytes };
      const page = await topic.read(range, now(), never);
      for (const damage of page.damaged) await onDamaged(damage);
      if (epoch !== this.#epoch) return;
      this.#take(page.events, page.next);
    } catch (error) {
      if (epoch !== this.#epoch) return;
      log.warn("events could not be read, trying again", { error: MicroError.from(error, "events.Stream.Consume") });
      await new Promise((resolve) => setTimeout(resolve, againMs).unref());
    }
    if (epoch !== this.#epoch) return;
    this.#filling = false;
    onFilled();
  }

  /** Offsets without an event are done: it has expired, was deleted, or is damaged. */
  #take(events: readonly StreamEvent[], next: number): void {
    for (const event of events) {
      this.#progress.addAll(this.#next, event.offset);
      this.#next = event.offset + 1;
      if (!this.#progress.has(event.offset)) this.#buffer.push(detached(event));
    }
    this.#progress.addAll(this.#next, next);
    this.#next = Math.max(this.#next, next);
  }
}

/** A small payload would keep all of its chunk, or of what came over the network with it, in memory for as long as a consumer has it. */
function detached(event: StreamEvent): StreamEvent {
  const { payload } = event;
  if (payload.byteLength * 2 >= payload.buffer.byteLength) return event;
  return { ...event, payload: Uint8Array.from(payload) };
}
