// `broker.Message` and `broker.PublishRequest` (wire §13) in straight lines: a fan-out writes and reads more of them than of anything else. What is out of
// the ordinary is left to the general codec, with its errors.
import { decodeMessage, encodeMessage, type Format } from "@microts/core/codec";
import { MessageSchema, PublishRequestSchema } from "@microts/proto/broker";
import type { BrokerMessage } from "./driver.ts";

type Header = Record<string, string>;
type Content = Pick<BrokerMessage, "header" | "body">;

export interface PublishRequest {
  readonly topic: string;
  readonly message?: Content | undefined;
  readonly namespace: string;
}

/** Says where a message was published, in its header, as in the original. */
export const topicHeader = "Micro-Topic";

const written = new WeakMap<Content, Partial<Record<Format, Uint8Array>>>();

/** The bytes of `broker.Message`, made once however many subscribers the object goes to. */
export function encodeDelivery(message: Content, format: Format): Uint8Array {
  let forms = written.get(message);
  if (forms === undefined) {
    forms = {};
    written.set(message, forms);
  }
  forms[format] ??= format === "proto" ? writeShared(message) : encodeMessage(MessageSchema, copied(message), format);
  return forms[format];
}

/** From here on the message's body is the one in its bytes: it may wait for slow subscribers, and must not do so twice. */
function writeShared(message: { body: Uint8Array; readonly header: Readonly<Header> }): Uint8Array {
  const bytes = writeMessage(message);
  message.body = bytes.subarray(bytes.length - message.body.length);
  return bytes;
}

/** Reads the messages of one subscription; bodies share memory with the bytes. Messages in a row mostly have the same header: it is read once. */
export class DeliveryReader {
  readonly #subscribedTo: string;
  #head: Buffer = Buffer.alloc(0);
  #header: Readonly<Header> = Object.freeze({});
  #topic: string;

  /** `subscribedTo` is the topic of messages that don't say theirs. */
  constructor(subscribedTo: string) {
    this.#subscribedTo = subscribedTo;
    this.#topic = subscribedTo;
  }

  read(message: Uint8Array): BrokerMessage {
    const bytes = bufferOf(message);
    const size = this.#head.length;
    // Behind the same entries the body alone may follow, or nothing.
    if (bytes.length > size && bytes[size] === 0x12 && this.#hasSameHead(bytes)) {
      cursor = size + 1;
      const length = readLength(bytes, bytes.length);
      if (length >= 0 && cursor + length === bytes.length)
        return { topic: this.#topic, header: this.#header, body: bytes.subarray(cursor) };
    }
    const { header, body } = readMessage(bytes, 0, bytes.length) ?? decodeMessage(MessageSchema, bytes, "proto");
    const topic = header[topicHeader] ?? this.#subscribedTo;
    if (headSize >= 0) {
      this.#topic = topic;
      this.#header = Object.freeze({ ...header });
      // Copied: it must not keep the memory of what it came with.
      this.#head = Buffer.from(bytes.subarray(0, headSize));
    }
    return { topic, header, body };
  }

  /** From the end on, where headers differ first. A loop is faster than a native comparison of so few bytes. */
  #hasSameHead(bytes: Buffer): boolean {
    const head = this.#head;
    for (let at = head.length - 1; at >= 0; at--) if (bytes[at] !== head[at]) return false;
    return true;
  }
}

/** `namespace` "" is the account's own. */
export function encodePublish(topic: string, message: Content, namespace: string): Uint8Array {
  const inner = writeMessage(message);
  const topicSize = Buffer.byteLength(topic);
  const tenantSize = Buffer.byteLength(namespace);
  const tenantField = tenantSize === 0 ? 0 : fieldSize(tenantSize);
  const out = Buffer.allocUnsafe(fieldSize(topicSize) + fieldSize(inner.length) + tenantField);
  let at = writeLength(out, 0x0a, topicSize, 0);
  at += out.write(topic, at);
  at = writeLength(out, 0x12, inner.length, at);
  at += inner.copy(out, at);
  if (tenantSize > 0) out.write(namespace, writeLength(out, 0x1a, tenantSize, at));
  return out;
}

/** Reads `broker.PublishRequest`; the body shares memory with `bytes`. */
export function decodePublish(bytes: Uint8Array, format: Format): PublishRequest {
  const read = format === "proto" ? readPublish(bufferOf(bytes)) : undefined;
  return read ?? decodeMessage(PublishRequestSchema, bytes, format);
}

function copied({ header, body }: Content) {
  return { header: { ...header }, body };
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function writeMessage({ header, body }: Content): Buffer {
  const names = Object.keys(header);
  const sizes: number[] = [];
  let size = body.length === 0 ? 0 : fieldSize(body.length);
  for (const name of names) {
    const nameSize = Buffer.byteLength(name);
    const valueSize = Buffer.byteLength(header[name] as string);
    sizes.push(nameSize, valueSize);
    size += fieldSize(fieldSize(nameSize) + fieldSize(valueSize));
  }
  const out = Buffer.allocUnsafe(size);
  let at = 0;
  for (let n = 0; n < names.length; n++) {
    const name = names[n] as string;
    const nameSize = sizes[2 * n] as number;
    const valueSize = sizes[2 * n + 1] as number;
    at = writeLength(out, 0x0a, fieldSize(nameSize) + fieldSize(valueSize), at);
    at = writeLength(out, 0x0a, nameSize, at);
    at += out.write(name, at);
    at = writeLength(out, 0x12, valueSize, at);
    at += out.write(header[name] as string, at);
  }
  if (body.length > 0) out.set(body, writeLength(out, 0x12, body.length, at));
  return out;
}

/** A tag of one byte, a length and as many bytes. */
function fieldSize(length: number): number {
  return 1 + (length < 0x80 ? 1 : length < 0x4000 ? 2 : length < 0x200000 ? 3 : length < 0x10000000 ? 4 : 5) + length;
}

function writeLength(out: Buffer, tag: number, length: number, at: number): number {
  out[at++] = tag;
  let left = length;
  for (; left >= 0x80; left >>>= 7) out[at++] = (left & 0x7f) | 0x80;
  out[at++] = left;
  return at;
}

/** A position in what is being read: JavaScript has no second return value. */
let cursor = 0;
/** Bytes before the last field of the message read last, when that is the body (a later one counts); else -1. */
let headSize = -1;

/** The length at `cursor`, or -1 when it isn't one of at most four bytes that ends before `end`. */
function readLength(bytes: Buffer, end: number): number {
  let length = 0;
  for (let shift = 0; shift < 28 && cursor < end; shift += 7) {
    const byte = bytes[cursor++] as number;
    length |= (byte & 0x7f) << shift;
    if (byte < 0x80) return cursor + length <= end ? length : -1;
  }
  return -1;
}

function readText(bytes: Buffer, length: number): string | undefined {
  const text = bytes.toString("utf8", cursor, cursor + length);
  cursor += length;
  // The general codec knows whether the sender wrote this character or something that isn't UTF-8.
  return text.includes("\ufffd") ? undefined : text;
}

function readPublish(bytes: Buffer): PublishRequest | undefined {
  let topic: string | undefined = "";
  let namespace: string | undefined = "";
  let message: Content | undefined;
  cursor = 0;
  while (cursor < bytes.length) {
    const tag = bytes[cursor++];
    const length = readLength(bytes, bytes.length);
    if (length < 0) return undefined;
    if (tag === 0x0a) topic = readText(bytes, length);
    else if (tag === 0x1a) namespace = readText(bytes, length);
    else if (tag === 0x12 && message === undefined) {
      message = readMessage(bytes, cursor, cursor + length);
      if (message === undefined) return undefined;
    } else return undefined;
    if (topic === undefined || namespace === undefined) return undefined;
  }
  return { topic, message, namespace };
}

function readMessage(bytes: Buffer, start: number, end: number): Content | undefined {
  const header: Header = {};
  let body = bytes.subarray(0, 0);
  cursor = start;
  headSize = -1;
  while (cursor < end) {
    headSize = bytes[cursor] === 0x12 ? cursor - start : -1;
    const tag = bytes[cursor++];
    const length = readLength(bytes, end);
    if (length < 0) return nothing();
    if (tag === 0x12) {
      body = bytes.subarray(cursor, cursor + length);
      cursor += length;
    } else if (tag !== 0x0a || !readEntry(bytes, cursor + length, header)) return nothing();
  }
  return { header, body };
}

/** The general codec reads it, and who knows where its body was. */
function nothing(): undefined {
  headSize = -1;
}

function readEntry(bytes: Buffer, end: number, header: Header): boolean {
  let name: string | undefined = "";
  let value: string | undefined = "";
  while (cursor < end) {
    const tag = bytes[cursor++];
    const length = readLength(bytes, end);
    if (length < 0) return false;
    if (tag === 0x0a) name = readText(bytes, length);
    else if (tag === 0x12) value = readText(bytes, length);
    else return false;
    if (name === undefined || value === undefined) return false;
  }
  if (name === "__proto__") return false;
  header[name] = value;
  return true;
}
