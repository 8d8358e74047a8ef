import type {
  PublishRequest,
  PublishResponse,
  ReadResponse,
  Event as WireEvent,
  Position as WirePosition,
  TopicSettings as WireSettings,
} from "@microts/proto/events";
import type { Damage, EventPage, Position, Published, StreamEvent, TopicSettings } from "./driver.ts";

/** An event as a message; `attempt` when it is delivered rather than read. */
export function wireEvent({ id, topic, offset, timestamp, metadata, payload }: StreamEvent, attempt = 0) {
  const timestampMs = BigInt(timestamp.getTime());
  return {
    id,
    topic,
    metadata: { ...metadata },
    payload,
    timestamp: unixSeconds(timestamp),
    offset: BigInt(offset),
    attempt,
    timestampMs,
  };
}

/** The event in a message, and how often it was delivered. */
export function deliveryFrom({ id, topic, offset, attempt, metadata, payload, ...times }: WireEvent) {
  const timestamp = timeFrom(times) ?? new Date(0);
  const event: StreamEvent = { id, topic, offset: Number(offset), timestamp, metadata, payload };
  return { event, attempt };
}

export function publishFrom({ namespace, topic, id, metadata, payload, ttlMs, ...times }: PublishRequest) {
  return {
    namespace,
    topic,
    id: id || undefined,
    metadata,
    payload,
    timestamp: timeFrom(times),
    ttlMs: ttlMs > 0n ? Number(ttlMs) : undefined,
  };
}

export function wirePublished({ id, offset, duplicate }: Published) {
  return { id, offset: BigInt(offset), duplicate };
}

export function publishedFrom({ id, offset, duplicate }: PublishResponse): Published {
  return { id, offset: Number(offset), duplicate };
}

export function wirePage({ events, damaged, next, first, end }: EventPage) {
  return {
    events: events.map((event) => wireEvent(event)),
    damaged: damaged.map(({ offset, count, reason }) => ({ offset: BigInt(offset), count: BigInt(count), reason })),
    next: BigInt(next),
    first: BigInt(first),
    end: BigInt(end),
  };
}

export function pageFrom({ events, damaged, next, first, end }: ReadResponse): EventPage {
  return {
    events: events.map((event) => deliveryFrom(event).event),
    damaged: damaged.map(damageFrom),
    next: Number(next),
    first: Number(first),
    end: Number(end),
  };
}

export function damageFrom({
  offset,
  count,
  reason,
}: Record<"offset" | "count", bigint | number> & { reason: string }) {
  const damage: Damage = {
    offset: Number(offset),
    count: Number(count),
    reason: reason === "checksum" ? reason : "missing",
  };
  return damage;
}

export function wirePosition(position: Position) {
  if (position === "earliest") return {};
  if (position === "latest") return { latest: true };
  return position instanceof Date ? { timeMs: BigInt(position.getTime()) } : { offset: BigInt(position) };
}

export function positionFrom(position: WirePosition | undefined): Position | undefined {
  if (position === undefined) return undefined;
  const { latest, timeMs, offset } = position;
  if (latest) return "latest";
  if (timeMs !== 0n) return new Date(Number(timeMs));
  return offset === 0n ? "earliest" : Number(offset);
}

/** The time that two fields give, in seconds and in milliseconds; undefined when neither does. */
export function timeFrom({ timestamp, timestampMs }: { timestamp: bigint; timestampMs: bigint }): Date | undefined {
  if (timestampMs > 0n) return new Date(Number(timestampMs));
  return timestamp > 0n ? new Date(Number(timestamp) * 1000) : undefined;
}

function unixSeconds(date: Date): bigint {
  return BigInt(Math.floor(date.getTime() / 1000));
}

export function wireSettings({ maxAgeMs = 0, maxBytes = 0, maxEvents = 0, dedupeMs = 0 }: TopicSettings) {
  return {
    maxAgeMs: BigInt(maxAgeMs),
    maxBytes: BigInt(maxBytes),
    maxEvents: BigInt(maxEvents),
    dedupeMs: BigInt(dedupeMs),
  };
}

export function settingsFrom(settings: Omit<WireSettings, "$typeName" | "$unknown"> | undefined): TopicSettings {
  const given = (value: bigint | undefined) => (value ? Number(value) : undefined);
  return {
    maxAgeMs: given(settings?.maxAgeMs),
    maxBytes: given(settings?.maxBytes),
    maxEvents: given(settings?.maxEvents),
    dedupeMs: given(settings?.dedupeMs),
  };
}

/** The acknowledgement that ends a consumer: what it has not answered goes to others at once. */
export const farewell = "";
