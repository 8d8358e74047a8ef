import { command, group } from "../command.ts";
import type { Context } from "../context.ts";
import { CommandError } from "../failure.ts";

const secretFlag = { kind: "bool", short: "s" } as const;

export const config = group("Manage configuration values", {
  get: command({
    summary: "Show a value",
    args: "<path>",
    examples: ["config get helloworld.greeting", "config get --secret helloworld.key"],
    flags: { secret: { ...secretFlag, help: "show secrets instead of [secret]" } },
    run: async (context, { secret }, [path = ""]) => {
      const { out, session, signal } = context;
      const client = await configClient(context);
      const { value } = await client.get(
        { namespace: await session.namespace(), path, options: { secret } },
        { signal },
      );
      const data = value?.data ?? "";
      if (data === "" || data === "null") throw new CommandError(1, "Not found", 404);
      await out.write(`${out.isJson ? data : unquoted(data)}\n`);
    },
  }),
  set: command({
    summary: "Set a value",
    args: "<path> <value>",
    examples: [
      "config set helloworld.greeting Hello",
      `config set helloworld '{"retries": 3}'`,
      "config set --secret helloworld.key abc",
    ],
    flags: { secret: { ...secretFlag, help: "keep the value encrypted" } },
    run: async (context, { secret }, [path = "", text = ""]) => {
      const client = await configClient(context);
      const request = {
        namespace: await context.session.namespace(),
        path,
        value: { data: asJson(text), format: "json" },
        options: { secret },
      };
      await client.set(request, { signal: context.signal });
    },
  }),
  del: command({
    summary: "Delete a value",
    args: "<path>",
    run: async (context, _flags, [path = ""]) => {
      const client = await configClient(context);
      await client.delete({ namespace: await context.session.namespace(), path }, { signal: context.signal });
    },
  }),
});

async function configClient({ session }: Context) {
  const { Config } = await import("@microts/proto/config");
  return session.client(Config, "config");
}

/** What is JSON stays as it is; anything else is a text. */
function asJson(text: string): string {
  try {
    JSON.parse(text);
    return text;
  } catch {
    return JSON.stringify(text);
  }
}

/** A text is shown without its quotes. */
function unquoted(json: string): string {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === "string" ? value : json;
  } catch {
    return json;
  }
}
