import { command } from "../command.ts";
import { CommandError } from "../failure.ts";
import { indentJson } from "../json.ts";
import { jsonRequest } from "../request.ts";
import { explainMissing } from "../unknown-service.ts";

export const call = command({
  summary: "Call a service",
  args: "<service> <endpoint> [json]…",
  examples: [`call helloworld Helloworld.Call '{"name": "Jane"}'`],
  formats: ["raw"],
  flags: {
    address: { kind: "text", env: "MICRO_ADDRESS", help: "call this host:port instead of going through the proxy" },
    output: {
      kind: "text",
      short: "o",
      env: "MICRO_OUTPUT",
      choices: ["text", "json", "raw"],
      help: "raw prints the reply as it came",
    },
    metadata: { kind: "pairs", env: "MICRO_METADATA", help: "sent with the call; may be repeated" },
    request_timeout: { kind: "duration", help: "give up after (default: 10s)" },
  },
  run: async ({ out, session, signal }, flags, [service = "", endpoint = "", ...words]) => {
    const request = jsonRequest(words);
    const rpc = await session.rpc();
    const reply = await rpc
      .unary(service, endpoint, request, {
        format: "json",
        signal,
        timeoutMs: flags.request_timeout,
        address: flags.address,
        metadata: flags.metadata,
      })
      .catch((error: unknown) => explainMissing(error, service, endpoint, session, signal));
    if (flags.output === "raw") return out.write(reply);
    const text = indentJson(reply);
    if (text === undefined) throw new CommandError(3, "the reply is not JSON. See it as it is with: --output raw", 500);
    await out.write(`${text}\n`);
  },
});
