import type { Event as WireEvent } from "@microts/proto/events";
import type { StreamEvent } from "./driver.ts";

/** What the messages of the original have no field for travels in an event's metadata. */
const offsetKey = "micro-offset";
const attemptKey = "micro-attempt";

/** An event as a message; `attempt` when it is delivered rather than read. */
export function wireEvent({ id, topic, offset, timestamp, metadata, payload }: StreamEvent, attempt?: number) {
  const more = { [offsetKey]: String(offset), ...(attempt !== undefined && { [attemptKey]: String(attempt) }) };
  return { id, topic, metadata: { ...metadata, ...more }, payload, timestamp: unixSeconds(timestamp) };
}

/** The event in a message, and how often it was delivered; both count from where the other side says nothing. */
export function eventFrom({ id, topic, metadata, payload, timestamp }: WireEvent): {
  event: StreamEvent;
  attempt: number;
} {
  const { [offsetKey]: offset, [attemptKey]: attempt, ...own } = metadata;
  const event = {
    id,
    topic,
    offset: Number(offset ?? 0),
    timestamp: new Date(Number(timestamp) * 1000),
    metadata: own,
    payload,
  };
  return { event, attempt: Number(attempt ?? 1) };
}

/** Metadata without what a delivery added: a consumer that publishes an event again passes it all on. */
export function ownMetadata(metadata: Readonly<Record<string, string>>): Record<string, string> {
  const { [offsetKey]: _, [attemptKey]: __, ...own } = metadata;
  return own;
}

export function unixSeconds(date: Date): bigint {
  return BigInt(Math.floor(date.getTime() / 1000));
}

/** The acknowledgement that ends a consumer: what it has not answered goes to others at once. */
export const farewell = "";
