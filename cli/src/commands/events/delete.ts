import { command } from "../../command.ts";
import type { Context } from "../../context.ts";
import { CommandError, usageError } from "../../failure.ts";
import { Prompt } from "../../prompt.ts";
import { listTopics, requireTopic, streamClient } from "./place.ts";

export const remove = command({
  summary: "Delete a topic with all its events and groups, or one of its groups",
  args: "<topic> [group]",
  plainErrors: true,
  examples: ["events delete orders", "events delete orders --yes", "events delete orders billing"],
  flags: { yes: { kind: "bool", short: "y", help: "don't ask" } },
  run: async (context, { yes }, [topic = "", group]) => {
    const { out, session, signal } = context;
    const client = await streamClient(context);
    const namespace = await session.namespace();
    if (group !== undefined) {
      await requireTopic(context, topic);
      await client.deleteGroup({ topic, group, namespace }, { signal });
      return out.done({ topic, group });
    }
    const events = await countOf(context, topic);
    if (events > 0 && !yes) await confirm(context, topic, events, namespace);
    await client.deleteTopic({ topic, namespace }, { signal });
    await out.done({ topic, events });
  },
});

/** Throws 404 for a topic that isn't there. */
async function countOf(context: Context, topic: string): Promise<number> {
  const found = (await listTopics(context)).find((each) => each.topic === topic);
  if (found === undefined) await requireTopic(context, topic);
  return found === undefined ? 0 : Number(found.end - found.first);
}

async function confirm(context: Context, topic: string, events: number, namespace: string): Promise<void> {
  const all = events === 1 ? "1 event" : `${events} events`;
  if (!context.stdin.isTTY)
    throw usageError(`${topic} has ${all}, which would be gone for good: say --yes to delete them all the same`);
  using prompt = new Prompt(context);
  const answer = await prompt.text(`Type ${topic} to delete its ${all} in namespace ${namespace} for good: `);
  if (answer.trim() !== topic) throw new CommandError(1, `nothing was deleted: ${topic} was not typed`);
}
