import { createHash } from "node:crypto";
import type { Damage, Event } from "@microts/proto/events";
import { command } from "../../command.ts";
import type { Context } from "../../context.ts";
import { usageError } from "../../failure.ts";
import { Progress } from "../../progress.ts";
import { parsePosition, positionHelp, requireTopic, storeClient, streamClient } from "./place.ts";
import { eventJson, eventLine } from "./print.ts";
import { refuseDamaged } from "./read.ts";

const pageEvents = 5_000n;
const deadPrefix = "micro-dead-";

export const replay = command({
  summary: "Print, publish or deliver all events of a range once more",
  args: "<topic>",
  examples: [
    "events replay orders --from 2026-01-31 --until 2026-02-01",
    "events replay orders.dead --into orders",
    "events replay orders --group billing --from 100",
  ],
  flags: {
    from: { kind: "text", short: "f", fallback: "earliest", help: positionHelp },
    until: { kind: "text", short: "u", help: "the same; not replayed itself (default: the end as it is now)" },
    into: { kind: "text", help: "append the events to this topic instead of printing them" },
    group: {
      kind: "text",
      short: "g",
      help: "move this group to --from: its consumers get everything from there on again",
    },
    verbose: { kind: "bool", short: "v", help: "show offset, time and metadata too" },
  },
  run: async (context, { from, until, into, group, verbose }, [topic = ""]) => {
    const { out } = context;
    if (group !== undefined) {
      if (into !== undefined || until !== undefined) throw usageError("--group goes with --from alone");
      return seek(context, topic, group, from);
    }
    await requireTopic(context, topic);
    const progress = new Progress(
      context.stderr,
      !out.isJson && into !== undefined,
      "events",
      await sizeOf(context, topic, from),
    );
    const damaged: Damage[] = [];
    let repeated = 0;
    const append = into === undefined ? undefined : await appender(context, topic, into);
    try {
      for await (const event of eventsOf(context, topic, from, until, damaged)) {
        if (append !== undefined) {
          if (await append(event)) repeated++;
        } else await out.write(out.isJson ? `${JSON.stringify(eventJson(event))}\n` : eventLine(event, verbose));
        progress.add(1);
      }
    } finally {
      progress.end();
    }
    if (into !== undefined) {
      const published = progress.done - repeated;
      const rest = repeated > 0 ? `, ${repeated} not: an earlier replay had published them` : "";
      await out.result({ published, repeated, into }, `${published} published to ${into}${rest}\n`);
    }
    refuseDamaged(topic, damaged);
  },
});

async function seek(context: Context, topic: string, group: string, from: string): Promise<void> {
  const client = await streamClient(context);
  const request = { topic, group, to: parsePosition("from", from), namespace: await context.session.namespace() };
  const { offset } = await client.seek(request, { signal: context.signal });
  await context.out.result({ topic, group, offset: Number(offset) }, `${group} goes on at offset ${offset}\n`);
}

/** About how many events that will be. */
async function sizeOf(context: Context, topic: string, from: string): Promise<number> {
  const store = await storeClient(context);
  const request = { topic, from: parsePosition("from", from), limit: 1n, namespace: await context.session.namespace() };
  const { events, next, end } = await store.read(request, { signal: context.signal });
  return Number(end - (events[0]?.offset ?? next));
}

async function* eventsOf(
  context: Context,
  topic: string,
  from: string,
  until: string | undefined,
  damaged: Damage[],
): AsyncGenerator<Event, void, undefined> {
  const store = await storeClient(context);
  const call = { signal: context.signal };
  const range = { topic, limit: pageEvents, namespace: await context.session.namespace() };
  let page = await store.read(
    {
      ...range,
      from: parsePosition("from", from),
      ...(until !== undefined && { until: parsePosition("until", until) }),
    },
    call,
  );
  const end = until === undefined ? { offset: page.end } : parsePosition("until", until);
  for (let last = -1n; page.next !== last; ) {
    last = page.next;
    damaged.push(...page.damaged);
    yield* page.events;
    page = await store.read({ ...range, from: { offset: last }, until: end }, call);
  }
}

/**
 * Appends events to a topic, one after the other, and says whether an event was there already. What happened to a dead letter stays behind; each gets an id
 * of its own, so that a replay that was cut can be run again.
 */
async function appender(context: Context, topic: string, into: string): Promise<(event: Event) => Promise<boolean>> {
  const client = await streamClient(context);
  const namespace = await context.session.namespace();
  // An id may be as long as the name of a topic, and no longer.
  const source = topic.length <= 64 ? topic : createHash("sha256").update(topic).digest("hex");
  return async ({ offset, metadata: all, payload, timestampMs }) => {
    const own = Object.entries(all).filter(([name]) => !name.startsWith(deadPrefix));
    const id = `replay/${source}/${offset}`;
    const request = { topic: into, id, metadata: Object.fromEntries(own), payload, timestampMs, namespace };
    return (await client.publish(request, { signal: context.signal })).duplicate;
  };
}
