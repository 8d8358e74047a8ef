import type { Damage, Event } from "@microts/proto/events";
import { command } from "../../command.ts";
import { CommandError } from "../../failure.ts";
import { parsePosition, positionHelp, requireTopic, storeClient } from "./place.ts";
import { eventJson, eventLine } from "./print.ts";

export const read = command({
  summary: "Print events that are there",
  args: "<topic>",
  examples: [
    "events read orders",
    "events read orders --from 100 --until 200 --verbose",
    "events read orders --from 1h",
  ],
  flags: {
    from: { kind: "text", short: "f", fallback: "earliest", help: positionHelp },
    until: { kind: "text", short: "u", fallback: "latest", help: "the same, and not printed itself" },
    limit: { kind: "int", short: "l", help: "at most so many (default: 250)" },
    verbose: { kind: "bool", short: "v", help: "show offset, time and metadata too" },
  },
  run: async (context, { from, until, limit = 250, verbose }, [topic = ""]) => {
    const { out, session, signal } = context;
    const store = await storeClient(context);
    const range = { topic, until: parsePosition("until", until), namespace: await session.namespace() };
    const events: Event[] = [];
    const damaged: Damage[] = [];
    let place = parsePosition("from", from);
    for (let last = -1n; events.length < limit; ) {
      const count = BigInt(limit - events.length);
      const page = await store.read({ ...range, from: place, limit: count }, { signal });
      events.push(...page.events);
      damaged.push(...page.damaged);
      if (page.next === last || page.next >= page.end) break;
      last = page.next;
      place = { offset: page.next };
    }
    if (events.length + damaged.length === 0) await requireTopic(context, topic);
    await out.result(events.map(eventJson), events.map((event) => eventLine(event, verbose)).join(""));
    refuseDamaged(topic, damaged);
  },
});

/** Ends the command with an error that names what could not be read, after everything else was printed. */
export function refuseDamaged(topic: string, damaged: readonly Damage[]): void {
  if (damaged.length === 0) return;
  const names = damaged.map(({ offset, count, reason }) =>
    count === 1n ? `${offset} (${reason})` : `${offset} to ${offset + count - 1n} (${reason})`,
  );
  const detail = `events of "${topic}" can't be read, at the offsets ${names.join(", ")}: they are damaged on disk. Everything else was printed`;
  throw new CommandError(1, detail, 500);
}
