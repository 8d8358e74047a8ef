import { createInterface } from "node:readline";
import { command } from "../../command.ts";
import { usageError } from "../../failure.ts";
import { Progress } from "../../progress.ts";
import { streamClient } from "./place.ts";
import { asJson } from "./print.ts";

export const publish = command({
  summary: "Append an event; without one, each line of standard input",
  args: "<topic> [event]…",
  examples: [
    `events publish orders '{"id": 7}'`,
    `events publish orders --id order-7 '{"id": 7}'`,
    "events publish orders < orders.ndjson",
  ],
  flags: {
    id: { kind: "text", help: "published again within the topic's window, it is there once (default: a new one)" },
    metadata: { kind: "pairs", help: "goes with the event; may be repeated" },
    ttl: { kind: "duration", help: "the event is gone after (default: as the topic keeps events)" },
    raw: { kind: "bool", short: "r", help: "append the text as it is; by default what isn't JSON becomes a JSON text" },
    parallel: {
      kind: "int",
      help: "lines that are on their way at once; more than 1 may change their order (default: 1)",
    },
  },
  run: async (context, { id = "", metadata, ttl = 0, raw, parallel = 1 }, [topic = "", ...words]) => {
    const { out, session, signal, stdin, stderr } = context;
    const client = await streamClient(context);
    const namespace = await session.namespace();
    const append = (text: string) => {
      const payload = Buffer.from(raw ? text : asJson(text));
      const request = { topic, id, metadata, payload, ttlMs: BigInt(Math.ceil(ttl)), namespace };
      return client.publish(request, { signal });
    };
    if (words.length > 0) {
      const { id: given, offset, duplicate } = await append(words.join(" "));
      const text = `offset ${offset}${duplicate ? ", published before" : ""}\n`;
      return out.result({ id: given, offset: Number(offset), duplicate }, text);
    }
    if (stdin.isTTY) throw usageError("micro events publish needs an event, or lines on standard input");
    if (id !== "") throw usageError("--id is for a single event: every line would be the same one");
    if (parallel < 1) throw usageError(`--parallel must be 1 or more, not ${parallel}`);
    const progress = new Progress(stderr, !out.isJson, "events");
    const running = new Set<Promise<unknown>>();
    try {
      for await (const line of createInterface({ input: stdin })) {
        if (line === "") continue;
        const appending = append(line).then(() => {
          running.delete(appending);
          progress.add(1);
        });
        running.add(appending);
        if (running.size >= parallel) await Promise.race(running);
      }
      await Promise.all(running);
    } catch (error) {
      await Promise.allSettled(running);
      progress.end();
      out.warn(`${progress.done} events were published before ${signal.aborted ? "it was stopped" : "this:"}`);
      throw error;
    }
    progress.end();
    await out.result({ published: progress.done }, `${progress.done} published\n`);
  },
});
