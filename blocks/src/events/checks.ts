import { MicroError } from "@microts/core";
import type { Position, TopicSettings } from "./driver.ts";

/** The most that an event's payload may have. */
export const maxPayloadBytes = 4 * 1024 * 1024;
const maxNameBytes = 256;
const maxMetadataBytes = 64 * 1024;
/** What dates may be: unix milliseconds of the years 1970 to 9999. */
const maxTime = 253_402_300_799_000;
/** What the default dead-letter topic of a topic is called, behind that topic's name. */
const deadSuffix = ".dead";

/** The topic of the events of `topic` that nobody handled; undefined for such a topic itself. */
export function deadLetterTopic(topic: string): string | undefined {
  return topic.endsWith(deadSuffix) ? undefined : topic + deadSuffix;
}

/** Topics that were found good: the same few come again and again. */
const good = new Set<string>();
const mostGood = 1000;

/** A topic's, a group's or an event's name. Throws 400. */
export function checkName(name: string, what: string, at: string): string {
  if (good.has(name)) return name;
  if (name === "") throw MicroError.badRequest(at, `Missing ${what}`);
  if (typeof name !== "string") throw MicroError.badRequest(at, `the ${what} has to be a text and is ${typeof name}`);
  const most = maxNameBytes + (name.endsWith(deadSuffix) ? deadSuffix.length : 0);
  if (Buffer.byteLength(name) > most)
    throw MicroError.badRequest(at, `the ${what} is longer than ${maxNameBytes} bytes`);
  if (/\p{C}/u.test(name))
    throw MicroError.badRequest(at, `the ${what} ${JSON.stringify(name)} has control characters`);
  if (what !== "topic") return name;
  if (good.size >= mostGood) good.clear();
  good.add(name);
  return name;
}

export function checkDate(date: Date, at: string): Date {
  const time = date.getTime();
  if (time >= 0 && time <= maxTime) return date;
  throw MicroError.badRequest(
    at,
    `${Number.isNaN(time) ? "the time" : time} is not a time between the years 1970 and 9999`,
  );
}

export function checkPosition(position: Position, at: string): Position {
  if (position instanceof Date) return checkDate(position, at);
  if (position === "earliest" || position === "latest") return position;
  if (typeof position !== "number")
    throw MicroError.badRequest(
      at,
      `a position is "earliest", "latest", an offset or a Date, not ${JSON.stringify(position)}`,
    );
  if (Number.isSafeInteger(position) && position >= 0) return position;
  throw MicroError.badRequest(at, `an offset is a whole number from 0 on, not ${position}`);
}

export function checkMetadata(
  metadata: Readonly<Record<string, string>>,
  at: string,
): Readonly<Record<string, string>> {
  if (Object.keys(metadata).length === 0) return metadata;
  if (Buffer.byteLength(JSON.stringify(metadata)) <= maxMetadataBytes) return { ...metadata };
  throw MicroError.tooLarge(at, `the metadata has more than ${maxMetadataBytes} bytes as JSON`);
}

export function checkSettings(settings: TopicSettings, at: string): TopicSettings {
  for (const [name, value] of Object.entries(settings)) {
    if (value !== undefined && !(Number.isSafeInteger(value) && value > 0))
      throw MicroError.badRequest(at, `${name} is a whole number from 1 on, or left out for no limit, not ${value}`);
  }
  return settings;
}

/** Bytes as they are, anything else as JSON. Throws 400 for what isn't JSON, and 413 for more than 4 MiB. */
export function payloadBytes(payload: unknown, at: string): Uint8Array {
  const bytes = payload instanceof Uint8Array ? payload : encode(payload, at);
  if (bytes.length <= maxPayloadBytes) return bytes;
  throw MicroError.tooLarge(
    at,
    `the payload has ${bytes.length} bytes instead of at most ${maxPayloadBytes}: keep it in the blob store and publish its key`,
  );
}

function encode(payload: unknown, at: string): Uint8Array {
  let text: string | undefined;
  try {
    text = JSON.stringify(payload);
  } catch (error) {
    throw new MicroError(400, at, `Error encoding message: ${error instanceof Error ? error.message : error}`, {
      cause: error,
    });
  }
  if (text === undefined)
    throw MicroError.badRequest(at, `Error encoding message: ${typeof payload} is not a JSON value`);
  return Buffer.from(text);
}
