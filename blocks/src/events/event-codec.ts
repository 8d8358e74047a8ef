// The messages of streams that are written and read more than any others, in straight lines. What is out of the ordinary is left to the general codec,
// with its errors.
import { decodeMessage, encodeMessage, FieldReader, FieldWriter, type Format, LastText } from "@microts/core/codec";
import { EventSchema, PublishRequestSchema, PublishResponseSchema } from "@microts/proto/events";
import type { NewEvent, Published, StreamEvent } from "./driver.ts";
import { deliveryFrom, publishedFrom, publishFrom, wireEvent, wirePublished } from "./wire.ts";

/** An event as it goes over the wire, and how often it was delivered; 0 when it is only read. */
export interface Delivered {
  readonly event: StreamEvent;
  readonly attempt: number;
}

/** What a publisher asks for; `namespace` "" is the account's own. */
export interface PublishCall {
  readonly namespace: string;
  readonly topic: string;
  readonly id: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  readonly payload: Uint8Array;
  readonly timestamp: Date | undefined;
  readonly ttlMs: number | undefined;
}

/** What a consumer says of a delivery. */
export interface Answer {
  readonly success?: boolean;
  readonly reason?: string;
  readonly reject?: boolean;
  readonly extend?: boolean;
  readonly release?: boolean;
}

const noBytes = Buffer.alloc(0);
const noMetadata: Readonly<Record<string, string>> = Object.freeze({});

export function encodeDelivered({ event, attempt }: Delivered, format: Format): Uint8Array {
  if (format !== "proto") return encodeMessage(EventSchema, wireEvent(event, attempt), format);
  const out = new FieldWriter(sizeOf(event));
  writeEvent(out, event, attempt);
  return out.done();
}

export function decodeDelivered(bytes: Uint8Array): Delivered {
  return (
    straight(() => readEvent(new FieldReader(bytes), new LastText())) ??
    deliveryFrom(decodeMessage(EventSchema, bytes, "proto"))
  );
}

export function encodePublish(namespace: string, topic: string, event: NewEvent): Uint8Array {
  const { id = "", metadata, payload, timestamp, expiresAt } = event;
  const at = timestamp.getTime();
  const out = new FieldWriter(sizeOf({ id, topic, metadata, payload }));
  out.text(0x0a, topic);
  writeMetadata(out, 0x12, metadata);
  out.bytes(0x1a, payload);
  out.number(0x20, Math.floor(at / 1000));
  out.text(0x2a, id);
  out.number(0x30, at);
  if (expiresAt !== undefined) out.number(0x38, Math.max(1, expiresAt.getTime() - Date.now()));
  out.text(0x42, namespace);
  return out.done();
}

export function decodePublish(bytes: Uint8Array, format: Format): PublishCall {
  const read = format === "proto" ? straight(() => readPublish(new FieldReader(bytes))) : undefined;
  return read ?? publishFrom(decodeMessage(PublishRequestSchema, bytes, format));
}

export function encodePublished(published: Published, format: Format): Uint8Array {
  if (format !== "proto") return encodeMessage(PublishResponseSchema, wirePublished(published), format);
  const out = new FieldWriter(64);
  out.text(0x0a, published.id);
  out.number(0x10, published.offset);
  out.number(0x18, published.duplicate ? 1 : 0);
  return out.done();
}

export function decodePublished(bytes: Uint8Array): Published {
  return (
    straight(() => readPublished(new FieldReader(bytes))) ??
    publishedFrom(decodeMessage(PublishResponseSchema, bytes, "proto"))
  );
}

/** An `AckRequest`. */
export function encodeAnswer(id: string, offset: number, answer: Answer): Uint8Array {
  const out = new FieldWriter(64);
  out.text(0x0a, id);
  out.number(0x10, answer.success ? 1 : 0);
  out.number(0x18, offset);
  out.text(0x22, answer.reason ?? "");
  out.number(0x28, answer.reject ? 1 : 0);
  out.number(0x30, answer.extend ? 1 : 0);
  out.number(0x38, answer.release ? 1 : 0);
  return out.done();
}

/** Undefined for what the general codec has to look at. */
export function straight<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** About, and seldom too little. */
export function sizeOf({
  id,
  topic,
  metadata,
  payload,
}: Pick<StreamEvent, "id" | "topic" | "metadata" | "payload">): number {
  let size = payload.length + id.length + topic.length + 64;
  for (const name in metadata) size += name.length + (metadata[name]?.length ?? 0) + 16;
  return size;
}

export function writeEvent(out: FieldWriter, event: StreamEvent, attempts: number): void {
  const at = event.timestamp.getTime();
  out.text(0x0a, event.id);
  out.text(0x12, event.topic);
  writeMetadata(out, 0x1a, event.metadata);
  out.bytes(0x22, event.payload);
  out.number(0x28, Math.floor(at / 1000));
  out.number(0x30, event.offset);
  out.number(0x38, attempts);
  out.number(0x40, at);
}

export function writeMetadata(out: FieldWriter, tag: number, metadata: Readonly<Record<string, string>>): void {
  for (const name of Object.keys(metadata)) {
    const start = out.begin(tag);
    out.text(0x0a, name);
    out.text(0x12, metadata[name] ?? "");
    out.end(start);
  }
}

/** Topics of a page are mostly the same. */
export function readEvent(from: FieldReader, lastTopic: LastText): Delivered {
  let [id, seconds, ms, offset, attempts] = ["", 0, 0, 0, 0];
  let topic = "";
  let payload: Uint8Array = noBytes;
  let metadata: Record<string, string> | undefined;
  for (let tag = from.tag(); tag !== 0; tag = from.tag()) {
    if (tag === 0x0a) id = from.text();
    else if (tag === 0x12) topic = from.repeatedText(lastTopic);
    else if (tag === 0x1a) metadata = readEntry(from, metadata);
    else if (tag === 0x22) payload = from.bytes();
    else if (tag === 0x28) seconds = from.number();
    else if (tag === 0x30) offset = from.number();
    else if (tag === 0x38) attempts = from.small();
    else if (tag === 0x40) ms = from.number();
    else from.skip(tag);
  }
  const timestamp = new Date(ms > 0 ? ms : seconds * 1000);
  return { event: { id, topic, offset, timestamp, metadata: metadata ?? noMetadata, payload }, attempt: attempts };
}

function readEntry(from: FieldReader, metadata: Record<string, string> = {}): Record<string, string> {
  let [name, value] = ["", ""];
  const outer = from.enter();
  for (let tag = from.tag(); tag !== 0; tag = from.tag()) {
    if (tag === 0x0a) name = from.text();
    else if (tag === 0x12) value = from.text();
    else from.skip(tag);
  }
  from.leave(outer);
  if (name === "__proto__") throw new RangeError("a name for the general codec");
  metadata[name] = value;
  return metadata;
}

function readPublish(from: FieldReader): PublishCall {
  let [topic, id, namespace] = ["", "", ""];
  let [seconds, ms, ttlMs] = [0, 0, 0];
  let payload: Uint8Array = noBytes;
  let metadata: Record<string, string> | undefined;
  for (let tag = from.tag(); tag !== 0; tag = from.tag()) {
    if (tag === 0x0a) topic = from.text();
    else if (tag === 0x12) metadata = readEntry(from, metadata);
    else if (tag === 0x1a) payload = from.bytes();
    else if (tag === 0x20) seconds = from.number();
    else if (tag === 0x2a) id = from.text();
    else if (tag === 0x30) ms = from.number();
    else if (tag === 0x38) ttlMs = from.number();
    else if (tag === 0x42) namespace = from.text();
    else from.skip(tag);
  }
  const time = ms > 0 ? ms : seconds * 1000;
  return {
    namespace,
    topic,
    id: id || undefined,
    metadata: metadata ?? noMetadata,
    payload,
    timestamp: time > 0 ? new Date(time) : undefined,
    ttlMs: ttlMs || undefined,
  };
}

function readPublished(from: FieldReader): Published {
  let [id, offset, duplicate] = ["", 0, false];
  for (let tag = from.tag(); tag !== 0; tag = from.tag()) {
    if (tag === 0x0a) id = from.text();
    else if (tag === 0x10) offset = from.number();
    else if (tag === 0x18) duplicate = from.small() !== 0;
    else from.skip(tag);
  }
  return { id, offset, duplicate };
}
