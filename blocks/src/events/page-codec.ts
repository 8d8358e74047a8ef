// Pages of events as they travel: written and read in straight lines, and no event is made before somebody looks at it.
import { MicroError } from "@microts/core";
import { decodeMessage, encodeMessage, FieldReader, FieldWriter, type Format, LastText } from "@microts/core/codec";
import { ReadResponseSchema } from "@microts/proto/events";
import type { Damage, EventPage, StreamEvent } from "./driver.ts";
import { readEvent, sizeOf, straight, writeEvent, writeMetadata } from "./event-codec.ts";
import { damageFrom, pageFrom, wirePage } from "./wire.ts";

/** Gives the events of a page, one each time; undefined at the end. */
export type EventReader = () => StreamEvent | undefined;

/** What is in a page besides its events. */
export type PageRest = Omit<EventPage, "events">;

/** A page as the message that carries it (`ReadResponse`, wire §13). */
class EncodedPage implements EventPage {
  readonly damaged: Damage[];
  readonly next: number;
  readonly first: number;
  readonly end: number;
  readonly bytes: Uint8Array;
  #events: StreamEvent[] | undefined;

  constructor(bytes: Uint8Array, { damaged, next, first, end }: PageRest) {
    this.bytes = bytes;
    this.damaged = damaged;
    this.next = next;
    this.first = first;
    this.end = end;
  }

  get events(): StreamEvent[] {
    this.#events ??= all(this.reader());
    return this.#events;
  }

  /** Each event is made when it is asked for: one that is dropped before the next one costs little memory. */
  reader(): EventReader {
    const from = new FieldReader(this.bytes);
    const topic = new LastText();
    let given = 0;
    let general: StreamEvent[] | undefined;
    return () => {
      if (general === undefined) {
        try {
          const event = nextEvent(from, topic);
          given++;
          return event;
        } catch (error) {
          if (!(error instanceof RangeError)) throw error;
          general = this.#general();
        }
      }
      return general[given++];
    };
  }

  /** The general codec reads on where a part that is too short ends, over what comes next: then nothing of the page is to be believed. */
  #general(): StreamEvent[] {
    const { events, damaged, next, first, end } = pageFrom(decodeMessage(ReadResponseSchema, this.bytes, "proto"));
    const isSame =
      next === this.next && first === this.first && end === this.end && damaged.length === this.damaged.length;
    if (!isSame) throw MicroError.internal("events.Store.Read", "the page of events is not well formed");
    return events;
  }
}

/** The events of a page, one after the other. */
export function readerOf(page: EventPage): EventReader {
  if (page instanceof EncodedPage) return page.reader();
  let at = 0;
  return () => page.events[at++];
}

export function encodePage(page: EventPage, format: Format): Uint8Array {
  if (format !== "proto") return encodeMessage(ReadResponseSchema, wirePage(page), format);
  if (page instanceof EncodedPage) return page.bytes;
  const out = new FieldWriter(page.events.reduce((size, event) => size + sizeOf(event), 256));
  let lengthBytes = 1;
  for (const event of page.events) {
    const start = out.begin(0x0a, lengthBytes);
    writeEvent(out, event, 0);
    lengthBytes = out.end(start, lengthBytes);
  }
  writeRest(out, page);
  return out.done();
}

function writeRest(out: FieldWriter, { damaged, next, first, end }: PageRest): void {
  for (const { offset, count, reason } of damaged) {
    const start = out.begin(0x12);
    out.number(0x08, offset);
    out.number(0x10, count);
    out.text(0x1a, reason);
    out.end(start);
  }
  out.number(0x18, next);
  out.number(0x20, first);
  out.number(0x28, end);
}

/** Where the parts of an event lie in the bytes that a driver has stored, and what isn't stored as it travels. */
export interface StoredParts {
  readonly idStart: number;
  readonly idEnd: number;
  readonly payloadStart: number;
  readonly payloadEnd: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Writes a page from what a driver has stored, without making its events. */
export class PageWriter {
  readonly #topic: Buffer;
  readonly #out: FieldWriter;
  #lengthBytes = 1;

  /** `size` is about how many bytes the page will have. */
  constructor(topic: string, size: number) {
    this.#topic = Buffer.from(topic);
    this.#out = new FieldWriter(size);
  }

  event(offset: number, stored: Buffer, { idStart, idEnd, payloadStart, payloadEnd, at, metadata }: StoredParts): void {
    const out = this.#out;
    const start = out.begin(0x0a, this.#lengthBytes);
    out.copy(0x0a, stored, idStart, idEnd);
    out.copy(0x12, this.#topic, 0, this.#topic.length);
    writeMetadata(out, 0x1a, metadata);
    out.copy(0x22, stored, payloadStart, payloadEnd);
    out.number(0x28, Math.floor(at / 1000));
    out.number(0x30, offset);
    out.number(0x40, at);
    this.#lengthBytes = out.end(start, this.#lengthBytes);
  }

  page(rest: PageRest): EventPage {
    writeRest(this.#out, rest);
    return new EncodedPage(this.#out.done(), rest);
  }
}

/** The bytes are kept. Events that can't be read are refused when they are looked at. */
export function decodePage(bytes: Uint8Array): EventPage {
  return straight(() => readPage(bytes)) ?? pageFrom(decodeMessage(ReadResponseSchema, bytes, "proto"));
}

function readPage(bytes: Uint8Array): EncodedPage {
  const from = new FieldReader(bytes);
  const damaged: Damage[] = [];
  let [next, first, end] = [0, 0, 0];
  for (let tag = from.tag(); tag !== 0; tag = from.tag()) {
    if (tag === 0x0a) from.leave(from.enter());
    else if (tag === 0x12) damaged.push(readDamage(from));
    else if (tag === 0x18) next = from.number();
    else if (tag === 0x20) first = from.number();
    else if (tag === 0x28) end = from.number();
    else from.skip(tag);
  }
  return new EncodedPage(bytes, { damaged, next, first, end });
}

/** Passes over what else is in a page, which has been read. */
function nextEvent(from: FieldReader, topic: LastText): StreamEvent | undefined {
  for (let tag = from.tag(); tag !== 0; tag = from.tag()) {
    if (tag === 0x0a) {
      const outer = from.enter();
      const { event } = readEvent(from, topic);
      from.leave(outer);
      return event;
    }
    if (tag === 0x12) from.leave(from.enter());
    else if (tag === 0x18 || tag === 0x20 || tag === 0x28) from.number();
    else from.skip(tag);
  }
  return undefined;
}

function readDamage(from: FieldReader): Damage {
  let [offset, count] = [0, 0];
  let reason = "";
  const outer = from.enter();
  for (let tag = from.tag(); tag !== 0; tag = from.tag()) {
    if (tag === 0x08) offset = from.number();
    else if (tag === 0x10) count = from.number();
    else if (tag === 0x1a) reason = from.text();
    else from.skip(tag);
  }
  from.leave(outer);
  return damageFrom({ offset, count, reason });
}

function all(read: EventReader): StreamEvent[] {
  const events: StreamEvent[] = [];
  for (let event = read(); event !== undefined; event = read()) events.push(event);
  return events;
}
