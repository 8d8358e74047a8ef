import type { Topic, TopicSettings } from "@microts/proto/events";
import { command } from "../../command.ts";
import type { Context } from "../../context.ts";
import { formatElapsed } from "../../duration.ts";
import { usageError } from "../../failure.ts";
import { spaceTable } from "../../table.ts";
import { listTopics, requireTopic, streamClient } from "./place.ts";

export const topics = command({
  summary: "List topics",
  run: async (context) => {
    const all = await listTopics(context);
    const rows = all.map(({ topic, first, end, bytes, settings }) => [
      ...[topic, end - first, first, end, bytes].map(String),
      keeps(settings),
    ]);
    const table = spaceTable([["TOPIC", "EVENTS", "FIRST", "NEXT", "BYTES", "KEEPS"], ...rows]);
    await context.out.result(all.map(topicJson), table);
  },
});

export const configure = command({
  summary: "Say what a topic keeps; what exceeds it is deleted, oldest first",
  args: "<topic>",
  examples: ["events configure clicks --max_age 168h --max_bytes 1000000000", "events configure clicks --max_age 0"],
  flags: {
    max_age: { kind: "duration", help: "events not older than; 0 for any age" },
    max_bytes: { kind: "int", help: "events of about so many bytes; 0 for any number" },
    max_events: { kind: "int", help: "so many events; 0 for any number" },
    dedupe: { kind: "duration", help: "how long the id of an event is remembered; 0 for two minutes" },
  },
  run: async (context, { max_age: age, max_bytes: bytes, max_events: events, dedupe }, [topic = ""]) => {
    if ([age, bytes, events, dedupe].every((value) => value === undefined))
      throw usageError("micro events configure needs --max_age, --max_bytes, --max_events or --dedupe");
    const client = await streamClient(context);
    const known = (await listTopics(context)).find((each) => each.topic === topic)?.settings;
    const chosen = (value: number | undefined, now: bigint | undefined) =>
      value === undefined ? (now ?? 0n) : BigInt(Math.ceil(value));
    const settings = {
      maxAgeMs: chosen(age, known?.maxAgeMs),
      maxBytes: chosen(bytes, known?.maxBytes),
      maxEvents: chosen(events, known?.maxEvents),
      dedupeMs: chosen(dedupe, known?.dedupeMs),
    };
    const namespace = await context.session.namespace();
    await client.configure({ topic, settings, namespace }, { signal: context.signal });
    await context.out.done({ topic, ...settingsJson(settings) });
  },
});

export const groups = command({
  summary: "List the groups of a topic",
  args: "<topic>",
  run: async (context, _flags, [topic = ""]) => {
    const all = await listGroups(context, topic);
    const rows = all.map(({ group, position, lag, unanswered, consumers, usedAt }) => [
      ...[group, position, lag, unanswered, consumers].map(String),
      `${formatElapsed(Date.now() - Number(usedAt))} ago`,
    ]);
    const head = ["GROUP", "POSITION", "LAG", "UNANSWERED", "CONSUMERS", "USED"];
    await context.out.result(
      all.map(({ group, position, lag, unanswered, consumers, usedAt }) => ({
        group,
        position: Number(position),
        lag: Number(lag),
        unanswered: Number(unanswered),
        consumers,
        used_at: new Date(Number(usedAt)).toISOString(),
      })),
      spaceTable([head, ...rows]),
    );
  },
});

export const lag = command({
  summary: "Show how far groups are behind, the furthest first",
  args: "[topic]",
  examples: ["events lag", "events lag orders"],
  run: async (context, _flags, [topic]) => {
    const names = topic === undefined ? (await listTopics(context)).map((each) => each.topic) : [topic];
    const behind: { topic: string; group: string; lag: number }[] = [];
    for (const name of names)
      for (const { group, lag: events } of await listGroups(context, name))
        behind.push({ topic: name, group, lag: Number(events) });
    behind.sort((a, b) => b.lag - a.lag);
    const rows = behind.map((each) => [each.topic, each.group, String(each.lag)]);
    await context.out.result(behind, spaceTable([["TOPIC", "GROUP", "LAG"], ...rows]));
  },
});

/** Throws 404 for a topic that isn't there: a name mistyped would look like one without groups. */
async function listGroups(context: Context, topic: string) {
  const client = await streamClient(context);
  const request = { topic, namespace: await context.session.namespace() };
  const { groups: found } = await client.groups(request, { signal: context.signal });
  if (found.length === 0) await requireTopic(context, topic);
  return found;
}

function topicJson({ topic, first, end, bytes, settings }: Topic) {
  return { topic, first: Number(first), next: Number(end), bytes: Number(bytes), keeps: settingsJson(settings) };
}

type Limits = Pick<TopicSettings, "maxAgeMs" | "maxBytes" | "maxEvents" | "dedupeMs">;

function settingsJson(settings: Limits | undefined) {
  const { maxAgeMs = 0n, maxBytes = 0n, maxEvents = 0n, dedupeMs = 0n } = settings ?? {};
  return {
    ...(maxAgeMs > 0n && { max_age_ms: Number(maxAgeMs) }),
    ...(maxBytes > 0n && { max_bytes: Number(maxBytes) }),
    ...(maxEvents > 0n && { max_events: Number(maxEvents) }),
    ...(dedupeMs > 0n && { dedupe_ms: Number(dedupeMs) }),
  };
}

function keeps(settings: Limits | undefined): string {
  const { maxAgeMs = 0n, maxBytes = 0n, maxEvents = 0n } = settings ?? {};
  const limits = [
    maxAgeMs > 0n && formatElapsed(Number(maxAgeMs)).replace(/(?<=[dhm])0[hms]/g, ""),
    maxBytes > 0n && `${maxBytes} bytes`,
    maxEvents > 0n && `${maxEvents} events`,
  ].filter((limit) => limit !== false);
  return limits.join(", ") || "everything";
}
