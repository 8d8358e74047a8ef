import type { Topic } from "@microts/proto/events";
import type { Context } from "../../context.ts";
import { parseDuration } from "../../duration.ts";
import { CommandError, usageError } from "../../failure.ts";

/** As the proto's Position. */
export interface WirePosition {
  readonly offset?: bigint;
  readonly timeMs?: bigint;
  readonly latest?: boolean;
}

export const positionHelp =
  "earliest, latest, an offset, a time such as 2026-01-31T12:00:00Z, or how long ago, such as 10m";

/** A place in a topic as people write it. Throws a usage error that names the flag. */
export function parsePosition(flag: string, text: string, now = Date.now()): WirePosition {
  if (text === "earliest") return {};
  if (text === "latest") return { latest: true };
  if (/^\d+$/.test(text) && Number.isSafeInteger(Number(text))) return { offset: BigInt(text) };
  const ago = parseDuration(text);
  if (ago !== undefined) return { timeMs: BigInt(Math.max(1, Math.floor(now - ago))) };
  const time = isDay(text.slice(0, 10)) ? Date.parse(text) : Number.NaN;
  if (time > 0) return { timeMs: BigInt(time) };
  throw usageError(`--${flag} is ${positionHelp}, not "${text}"`);
}

/** Whether the calendar has it. `Date.parse` takes February 31 for March 3. */
function isDay(text: string): boolean {
  const day = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(day.getTime()) && day.toISOString().startsWith(text);
}

export async function streamClient({ session }: Context) {
  const { Stream } = await import("@microts/proto/events");
  return session.client(Stream, "events");
}

export async function storeClient({ session }: Context) {
  const { Store } = await import("@microts/proto/events");
  return session.client(Store, "events");
}

export async function listTopics(context: Context): Promise<Topic[]> {
  const client = await streamClient(context);
  const request = { namespace: await context.session.namespace() };
  return (await client.topics(request, { signal: context.signal })).topics;
}

export async function isTopic(context: Context, topic: string): Promise<boolean> {
  return (await listTopics(context)).some((each) => each.topic === topic);
}

/** Throws 404 for a topic that isn't there: a name mistyped would look like one without events. */
export async function requireTopic(context: Context, topic: string): Promise<void> {
  if (await isTopic(context, topic)) return;
  const namespace = await context.session.namespace();
  throw new CommandError(1, `There is no topic "${topic}" in ${namespace}. See: micro events topics`, 404);
}
