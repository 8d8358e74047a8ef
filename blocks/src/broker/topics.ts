import { MicroError } from "@microts/core";

/** Longest topic, pattern, queue or namespace, in bytes. */
const maxNameBytes = 255;

/** Matches exactly one part of a topic. */
const one = "*";
/** At the end of a pattern: one part or more. */
const rest = ">";

/** A topic to publish to: parts with dots between them, such as `orders.eu.created`. Throws 400. */
export function checkTopic(topic: string, id: string): void {
  checkName(topic, "topic", id);
  const wildcard = topic.split(".").find((part) => part === one || part === rest);
  if (wildcard === undefined) return;
  throw MicroError.badRequest(
    id,
    `"${topic}" has the wildcard "${wildcard}": messages go to one topic. Wildcards are for subscribers`,
  );
}

/** What to subscribe to: a topic, in which `*` stands for one part and `>` at the end for one or more, as in NATS. Throws 400. */
export function checkPattern(pattern: string, id: string): void {
  checkName(pattern, "topic", id);
  const parts = pattern.split(".");
  const at = parts.indexOf(rest);
  if (at === -1 || at === parts.length - 1) return;
  throw MicroError.badRequest(
    id,
    `"${pattern}" has ">" before its end, and only the end may be it. Use "*" for one part`,
  );
}

/** Whether a topic is among those that the pattern means. */
export function matchesTopic(pattern: string, topic: string): boolean {
  const wanted = pattern.split(".");
  const parts = topic.split(".");
  const isOpen = wanted.at(-1) === rest;
  if (isOpen ? parts.length < wanted.length : parts.length !== wanted.length) return false;
  return wanted.every((part, at) => part === one || (isOpen && at === wanted.length - 1) || part === parts[at]);
}

/** Throws 400 for a name that is empty, too long, or has what no terminal and no log should be shown. */
export function checkName(text: string, what: string, id: string): void {
  if (text === "") throw MicroError.badRequest(id, `Missing ${what}`);
  if (!/^[^\p{Cc}\p{Cs}]+$/u.test(text))
    throw MicroError.badRequest(id, `the ${what} has control characters or is not valid Unicode`);
  if (Buffer.byteLength(text) > maxNameBytes)
    throw MicroError.badRequest(id, `the ${what} is longer than ${maxNameBytes} bytes`);
}
