import type { Event } from "@microts/proto/events";

/** An event for `--output json`: data when it is JSON, else its bytes in base64. */
export function eventJson({ id, topic, offset, attempt, timestampMs, metadata, payload }: Event) {
  const bytes = Buffer.from(payload);
  const data = jsonOf(bytes.toString());
  return {
    id,
    topic,
    offset: Number(offset),
    ...(attempt > 0 && { attempt }),
    time: new Date(Number(timestampMs)).toISOString(),
    metadata,
    ...(data === undefined ? { data_base64: bytes.toString("base64") } : { data }),
  };
}

/** The payload alone, or behind its offset, its time and its metadata. */
export function eventLine(event: Event, verbose: boolean): string {
  const text = Buffer.from(event.payload).toString();
  if (!verbose) return `${text}\n`;
  const metadata = Object.entries(event.metadata).map(([name, value]) => `${name}=${value}`);
  const time = new Date(Number(event.timestampMs)).toISOString();
  return `${[event.offset, time, text, metadata.join(" ")].join("\t").trimEnd()}\n`;
}

/** JSON as it is, anything else as a JSON text. */
export function asJson(text: string): string {
  return jsonOf(text) === undefined ? JSON.stringify(text) : text;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
