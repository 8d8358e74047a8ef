import { createInterface } from "node:readline";
import { command, group } from "../command.ts";
import type { Context } from "../context.ts";
import { usageError } from "../failure.ts";
import { followed } from "../follow.ts";

const publish = command({
  summary: "Publish a message; without one, each line of standard input",
  args: "<topic> [message]…",
  examples: [`broker publish orders.eu '{"id": 7}'`, "broker publish notes hello", "broker publish log < lines.txt"],
  flags: {
    header: { kind: "pairs", help: "goes with the message; may be repeated" },
    raw: {
      kind: "bool",
      short: "r",
      help: "send the text as it is; by default what isn't JSON is sent as a JSON text",
    },
  },
  run: async (context, { header, raw }, [topic = "", ...words]) => {
    const { session, signal, stdin } = context;
    const client = await brokerClient(context);
    const namespace = await session.namespace();
    const send = async (text: string) => {
      const message = {
        header: { "Content-Type": "application/json", ...header },
        body: Buffer.from(raw ? text : asJson(text)),
      };
      await client.publish({ topic, message, namespace }, { signal });
    };
    if (words.length > 0) return send(words.join(" "));
    if (stdin.isTTY) throw usageError("micro broker publish needs a message, or lines on standard input");
    for await (const line of createInterface({ input: stdin })) if (line !== "") await send(line);
  },
});

const subscribe = command({
  summary: "Print messages as they come",
  args: "<topic>",
  examples: ["broker subscribe orders.eu", "broker subscribe 'orders.*'", "broker subscribe '>' --output json"],
  flags: {
    queue: { kind: "text", short: "q", help: "share the messages with other subscribers of this queue" },
    count: { kind: "int", short: "c", help: "end after so many" },
    verbose: { kind: "bool", short: "v", help: "show topic and header too" },
  },
  run: async (context, { queue = "", count, verbose }, [topic = ""]) => {
    const { out, session, signal } = context;
    const [{ Broker }, { openStream }] = await Promise.all([
      import("@microts/proto/broker"),
      import("@microts/core/rpc/service-client"),
    ]);
    const request = { topic, queue, namespace: await session.namespace() };
    const rpc = await session.rpc();
    const subscribe = () => openStream(Broker.method.subscribe, rpc, "broker", request, { signal });
    const first = await subscribe();
    out.note(`subscribed to ${topic}; Ctrl-C ends it`);
    let left = count ?? Number.POSITIVE_INFINITY;
    if (left <= 0) return;
    for await (const { header, body } of followed(context, first, subscribe)) {
      await out.write(out.isJson ? jsonLine(header, body) : textLine(header, body, verbose));
      if (--left === 0) return;
    }
  },
});

export const broker = group("Publish and subscribe to messages", { publish, subscribe });

async function brokerClient({ session }: Context) {
  const { Broker } = await import("@microts/proto/broker");
  return session.client(Broker, "broker");
}

type Header = Readonly<Record<string, string>>;

function textLine(header: Header, body: Uint8Array, verbose: boolean): string {
  const text = Buffer.from(body).toString();
  if (!verbose) return `${text}\n`;
  const { "Micro-Topic": topic = "", ...others } = header;
  return `${topic}\t${text}\t${Object.entries(others)
    .map(([name, value]) => `${name}=${value}`)
    .join(" ")}\n`;
}

/** A body that isn't JSON is in base64. */
function jsonLine({ "Micro-Topic": topic, ...header }: Header, body: Uint8Array): string {
  const bytes = Buffer.from(body);
  const data = jsonOf(bytes.toString());
  const content = data === undefined ? { body_base64: bytes.toString("base64") } : { data };
  return `${JSON.stringify({ topic, header, ...content })}\n`;
}

function asJson(text: string): string {
  return jsonOf(text) === undefined ? JSON.stringify(text) : text;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
