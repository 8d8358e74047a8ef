import type { Damage, EventPage, StreamEvent } from "@microts/blocks/events";
import { decodeBody, recordsOf } from "./chunk.ts";

export interface PageOptions {
  readonly topic: string;
  readonly topicId: number;
  /** The first offset wanted, and the one after the last. */
  readonly start: number;
  readonly end: number;
  readonly limit: number;
  readonly now: number;
}

/** Puts a page together from chunks, naming what is damaged and what should be there and isn't. */
export class PageBuilder {
  readonly #options: PageOptions;
  readonly #events: StreamEvent[] = [];
  readonly #damaged: Damage[] = [];
  #next: number;

  constructor(options: PageOptions) {
    this.#options = options;
    this.#next = options.start;
  }

  chunk(first: number, count: number, data: Uint8Array): void {
    if (this.#isFull) return;
    if (first + count <= this.#next) return;
    if (first > this.#next) this.missing(Math.min(first, this.#options.end));
    const records = recordsOf({ topicId: this.#options.topicId, first }, count, data);
    for (let i = Math.max(0, this.#next - first); i < count && !this.#isFull; i++) this.#record(records[i]);
  }

  /** Nothing was found from the next offset up to this one. */
  missing(end: number): void {
    this.#damage(end - this.#next, "missing");
  }

  page(): Pick<EventPage, "events" | "damaged" | "next"> {
    return { events: this.#events, damaged: this.#damaged, next: this.#next };
  }

  get #isFull(): boolean {
    return this.#events.length >= this.#options.limit || this.#next >= this.#options.end;
  }

  #record(body: Buffer | undefined): void {
    if (body === undefined) {
      this.#damage(1, "checksum");
      return;
    }
    const stored = decodeBody(body);
    const offset = this.#next++;
    if (stored === undefined || (stored.expiresAt !== undefined && stored.expiresAt <= this.#options.now)) return;
    const { id, at, metadata, payload } = stored;
    this.#events.push({ id, topic: this.#options.topic, offset, timestamp: new Date(at), metadata, payload });
  }

  #damage(count: number, reason: Damage["reason"]): void {
    const last = this.#damaged.at(-1);
    if (last?.reason === reason && last.offset + last.count === this.#next)
      this.#damaged[this.#damaged.length - 1] = { ...last, count: last.count + count };
    else this.#damaged.push({ offset: this.#next, count, reason });
    this.#next += count;
  }
}
