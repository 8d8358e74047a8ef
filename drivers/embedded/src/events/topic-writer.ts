import { randomUUID } from "node:crypto";
import type { NewEvent, Published, StreamEvent } from "@microts/blocks/events";
import { MicroError } from "@microts/core";
import type { Now } from "../clock.ts";
import { encodeChunk, type StoredEvent } from "./chunk.ts";
import type { NewChunk, TopicLog } from "./topic-log.ts";

interface Waiting {
  readonly event: NewEvent;
  readonly signal: AbortSignal;
  resolve(published: Published): void;
  reject(reason: unknown): void;
}

/** An event of a batch that gets an offset, and those who published the same id in the same moment. */
interface Placed {
  readonly id: string;
  readonly event: NewEvent;
  readonly waiting: Waiting[];
}

export interface TopicWriterOptions {
  readonly now: Now;
  /** How long an id is remembered where the topic doesn't say, in milliseconds. */
  readonly dedupeMs: number;
  /** Told what was appended, before its publishers are. */
  onAppended(events: () => readonly StreamEvent[]): void;
}

const batchEvents = 4096;
const batchBytes = 8 * 1024 * 1024;
const chunkEvents = 1024;
const chunkBytes = 256 * 1024;
/** More than this waiting means the disk can't keep up: publishers are refused instead of memory filling. */
const maxWaiting = 50_000;
const maxWaitingBytes = 64 * 1024 * 1024;

/**
 * Appends to one topic. What is published while a batch goes to disk is the next batch: each costs one commit, whatever its size, and there
 * is only one on its way, so that offsets have no gap when one fails.
 */
export class TopicWriter {
  /** Whether its topic is about to go: whoever has it asks for the topic anew instead of appending. */
  isPaused = false;
  readonly #options: TopicWriterOptions;
  readonly #log: TopicLog;
  #isStale = false;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #writing: Promise<void> | undefined;

  constructor(log: TopicLog, options: TopicWriterOptions) {
    this.#log = log;
    this.#options = options;
  }

  get isIdle(): boolean {
    return this.#writing === undefined;
  }

  /** Resolves when the event is on disk. A signal that aborts before it was on its way there undoes it; later it changes nothing. */
  append(event: NewEvent, signal: AbortSignal): Promise<Published> {
    if (this.#waiting.length >= maxWaiting || this.#waitingBytes + event.payload.length > maxWaitingBytes) {
      const detail = "more is published than the disk can take: try again in a moment";
      return Promise.reject(MicroError.unavailable("events.Stream.Publish", detail));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ event, signal, resolve, reject });
      this.#waitingBytes += event.payload.length;
      this.#writing ??= this.#write();
    });
  }

  /** Resolves when nothing is on its way to disk. */
  async idle(): Promise<void> {
    await this.#writing;
  }

  async #write(): Promise<void> {
    // What else is published in this turn of the event loop goes along.
    await new Promise(setImmediate);
    while (this.#waiting.length > 0) {
      const batch = this.#take();
      try {
        await this.#append(batch);
      } catch (reason) {
        // Whether it got to disk is not known.
        this.#isStale = true;
        for (const { reject } of batch) reject(reason);
      }
    }
    this.#writing = undefined;
  }

  #take(): Waiting[] {
    let bytes = 0;
    let count = 0;
    while (count < this.#waiting.length && count < batchEvents && bytes < batchBytes)
      bytes += this.#waiting[count++]?.event.payload.length ?? 0;
    this.#waitingBytes -= bytes;
    return this.#waiting.splice(0, count).filter(({ signal, reject }) => {
      if (signal.aborted) reject(signal.reason);
      return !signal.aborted;
    });
  }

  async #append(batch: readonly Waiting[]): Promise<void> {
    if (batch.length === 0) return;
    const log = this.#log;
    if (this.#isStale) await log.reload();
    this.#isStale = false;
    const now = this.#options.now();
    const known = await this.#known(log, batch, now);
    const placed = place(batch, known);
    const first = log.next;
    if (placed.length > 0) {
      const ids: [string, number][] = [];
      for (const [i, { event }] of placed.entries()) if (event.id !== undefined) ids.push([event.id, first + i]);
      const until = now + (log.settings.dedupeMs ?? this.#options.dedupeMs);
      await log.append(chunksOf(log, placed), { ids, until }, now);
      this.#options.onAppended(() => placed.map(({ id, event }, i) => streamEvent(log.topic, first + i, id, event)));
    }
    for (const [i, { id, waiting }] of placed.entries())
      for (const [at, { resolve }] of waiting.entries()) resolve({ id, offset: first + i, duplicate: at > 0 });
    for (const { event, resolve } of batch) {
      const offset = event.id === undefined ? undefined : known.get(event.id);
      if (event.id !== undefined && offset !== undefined) resolve({ id: event.id, offset, duplicate: true });
    }
  }

  async #known(log: TopicLog, batch: readonly Waiting[], now: number): Promise<ReadonlyMap<string, number>> {
    const ids = new Set<string>();
    for (const { event } of batch) if (event.id !== undefined) ids.add(event.id);
    if (ids.size === 0) return new Map();
    return log.published([...ids], now, new AbortController().signal);
  }
}

/** The events that get an offset, in the order in which they were published. */
function place(batch: readonly Waiting[], known: ReadonlyMap<string, number>): Placed[] {
  const placed: Placed[] = [];
  const byId = new Map<string, Placed>();
  for (const waiting of batch) {
    const { event } = waiting;
    if (event.id !== undefined && known.has(event.id)) continue;
    const same = event.id === undefined ? undefined : byId.get(event.id);
    if (same !== undefined) {
      same.waiting.push(waiting);
      continue;
    }
    const one = { id: event.id ?? randomUUID(), event, waiting: [waiting] };
    if (event.id !== undefined) byId.set(event.id, one);
    placed.push(one);
  }
  return placed;
}

function chunksOf(log: TopicLog, placed: readonly Placed[]): NewChunk[] {
  const chunks: NewChunk[] = [];
  let events: StoredEvent[] = [];
  let bytes = 0;
  let first = log.next;
  const close = () => {
    const expiries = events.flatMap(({ expiresAt }) => expiresAt ?? []);
    chunks.push({
      first,
      count: events.length,
      data: encodeChunk({ topicId: log.id, first }, events),
      latestAt: events.reduce((latest, { at }) => Math.max(latest, at), 0),
      nextExpiry: expiries.length === 0 ? undefined : expiries.reduce((a, b) => Math.min(a, b)),
    });
    first += events.length;
    events = [];
    bytes = 0;
  };
  for (const { id, event } of placed) {
    if (events.length >= chunkEvents || (events.length > 0 && bytes + event.payload.length > chunkBytes)) close();
    bytes += event.payload.length;
    const { timestamp, metadata, payload, expiresAt } = event;
    events.push({ id, at: timestamp.getTime(), expiresAt: expiresAt?.getTime(), metadata, payload });
  }
  if (events.length > 0) close();
  return chunks;
}

function streamEvent(topic: string, offset: number, id: string, event: NewEvent): StreamEvent {
  const { timestamp, metadata, payload } = event;
  return { id, topic, offset, timestamp, metadata, payload };
}
