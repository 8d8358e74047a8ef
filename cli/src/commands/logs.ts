import type { LogRecord } from "@microts/proto/runtime";
import { command } from "../command.ts";
import { runtimeClient } from "../deploy.ts";
import { parseDuration } from "../duration.ts";
import { usageError } from "../failure.ts";
import { serviceRef } from "../service-ref.ts";

export const logs = command({
  summary: "Show the logs of a service",
  args: "<name[@version]>",
  examples: ["logs helloworld", "logs -f helloworld", "logs --since 10m --lines 100 helloworld"],
  flags: {
    follow: { kind: "bool", short: "f", help: "go on with new lines as they are written" },
    lines: { kind: "int", short: "n", help: "how many lines to begin with; 0 for all (default: 15)" },
    output: { kind: "text", short: "o", choices: ["text", "json"], help: "json prints one object per line" },
    since: {
      kind: "text",
      help: "only lines since then: a duration such as 10m, or a time such as 2026-01-31T12:00:00Z",
    },
    version: { kind: "text", help: "version of the service (default: latest)" },
  },
  run: async (context, flags, [text = ""]) => {
    const { session, signal, out } = context;
    const ref = await serviceRef(text, context);
    const namespace = await session.namespace();
    const runtime = await runtimeClient(context);
    const records = runtime.logs(
      {
        service: ref.name,
        version: flags.version ?? ref.version,
        stream: flags.follow,
        count: BigInt(flags.lines ?? 15),
        since: flags.since === undefined ? 0n : sinceSeconds(flags.since),
        options: { namespace },
      },
      { signal },
    );
    for await (const record of records) await out.write(`${out.isJson ? jsonLine(record) : record.message}\n`);
  },
});

function jsonLine({ message, metadata, timestamp }: LogRecord): string {
  const time = timestamp === 0n ? {} : { Timestamp: new Date(Number(timestamp) * 1000).toISOString() };
  return JSON.stringify({ ...time, Message: message, Metadata: metadata });
}

function sinceSeconds(text: string): bigint {
  const ago = parseDuration(text);
  const at = ago === undefined ? Date.parse(text) : Date.now() - ago;
  if (Number.isNaN(at))
    throw usageError(`--since must be a duration such as 10m, or a time such as 2026-01-31T12:00:00Z, not "${text}"`);
  return BigInt(Math.floor(at / 1000));
}
