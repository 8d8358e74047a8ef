import type { NewEvent } from "@microts/blocks/events";
import type { DeadLetter } from "./group.ts";

const prefix = "micro-dead-";

/** The event that a dead letter is: the original one, with what happened to it in its metadata. Written twice, it is there once. */
export function letterOf(topic: string, letter: DeadLetter, timestamp: Date): NewEvent {
  const { group, offset, attempts, reason, event } = letter;
  const more = {
    [`${prefix}topic`]: topic,
    [`${prefix}group`]: group,
    [`${prefix}offset`]: String(offset),
    [`${prefix}attempts`]: String(attempts),
    [`${prefix}reason`]: reason,
    ...(event !== undefined && { [`${prefix}id`]: event.id }),
  };
  return {
    id: `${topic}/${group}/${offset}/${event?.id ?? "damaged"}`,
    timestamp,
    metadata: { ...event?.metadata, ...more },
    payload: event?.payload ?? new Uint8Array(),
    expiresAt: undefined,
  };
}
