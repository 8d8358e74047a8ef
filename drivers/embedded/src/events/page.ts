import type { Damage, PageRest } from "@microts/blocks/events";
import { type BodyParts, partsOf, recordsOf } from "./chunk.ts";

export interface PageOptions {
  readonly topicId: number;
  /** The first offset wanted, and the one after the last. */
  readonly start: number;
  readonly end: number;
  readonly limit: number;
  readonly now: number;
  /** Is given each live event, in order. */
  add(offset: number, body: Buffer, parts: BodyParts): void;
}

/** Goes through chunks for a page, naming what is damaged and what should be there and isn't. */
export class PageBuilder {
  readonly #options: PageOptions;
  readonly #damaged: Damage[] = [];
  #count = 0;
  #next: number;

  constructor(options: PageOptions) {
    this.#options = options;
    this.#next = options.start;
  }

  chunk(first: number, count: number, data: Uint8Array): void {
    if (this.#isFull) return;
    if (first + count <= this.#next) return;
    const { topicId, end } = this.#options;
    if (first > this.#next) this.missing(Math.min(first, end));
    const from = Math.max(0, this.#next - first);
    const records = recordsOf({ topicId, first }, count, data, from, end - first);
    for (let i = from; i < count && !this.#isFull; i++) this.#record(records[i]);
  }

  /** Nothing was found from the next offset up to this one. */
  missing(end: number): void {
    this.#damage(end - this.#next, "missing");
  }

  page(): Pick<PageRest, "damaged" | "next"> {
    return { damaged: this.#damaged, next: this.#next };
  }

  get #isFull(): boolean {
    return this.#count >= this.#options.limit || this.#next >= this.#options.end;
  }

  #record(body: Buffer | undefined): void {
    if (body === undefined) {
      this.#damage(1, "checksum");
      return;
    }
    const parts = partsOf(body);
    const offset = this.#next++;
    if (parts === undefined || (parts.expiresAt !== undefined && parts.expiresAt <= this.#options.now)) return;
    this.#count++;
    this.#options.add(offset, body, parts);
  }

  #damage(count: number, reason: Damage["reason"]): void {
    const last = this.#damaged.at(-1);
    if (last?.reason === reason && last.offset + last.count === this.#next)
      this.#damaged[this.#damaged.length - 1] = { ...last, count: last.count + count };
    else this.#damaged.push({ offset: this.#next, count, reason });
    this.#next += count;
  }
}
