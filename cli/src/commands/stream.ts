import { command } from "../command.ts";
import { printReplies } from "../replies.ts";
import { jsonRequest } from "../request.ts";
import { explainMissing } from "../unknown-service.ts";

export const stream = command({
  summary: "Call a streaming endpoint and print each reply",
  args: "<service> <endpoint> [json]…",
  examples: [`stream clock Clock.Ticks '{"count": 3}'`],
  flags: {
    output: {
      kind: "text",
      short: "o",
      env: "MICRO_OUTPUT",
      choices: ["text", "json", "raw"],
      help: "json prints each reply on one line, raw as it came",
    },
    metadata: { kind: "pairs", env: "MICRO_METADATA", help: "sent with the call; may be repeated" },
    request_timeout: { kind: "duration", help: "give up after (default: never)" },
  },
  run: async ({ out, session, signal }, flags, [service = "", endpoint = "", ...words]) => {
    const request = jsonRequest(words);
    const rpc = await session.rpc();
    const options = { format: "json", signal, timeoutMs: flags.request_timeout, metadata: flags.metadata } as const;
    const replies = rpc.serverStream(service, endpoint, request, options);
    try {
      await printReplies(replies, flags.output ?? "text", out);
    } catch (error) {
      await explainMissing(error, service, endpoint, session, signal);
    }
  },
});
