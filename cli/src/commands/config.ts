import { text } from "node:stream/consumers";
import { command, group } from "../command.ts";
import type { Context } from "../context.ts";
import { CommandError, usageError } from "../failure.ts";
import { followed } from "../follow.ts";
import { Prompt } from "../prompt.ts";

const secretFlag = { kind: "bool", short: "s" } as const;

export const config = group("Manage configuration values", {
  get: command({
    summary: "Show a value, or all there is",
    args: "[path]",
    examples: ["config get", "config get helloworld.greeting", "config get --secret helloworld.key"],
    flags: { secret: { ...secretFlag, help: "show secrets instead of [secret]" } },
    run: async (context, { secret }, [path = ""]) => {
      const { out, session, signal } = context;
      const client = await configClient(context);
      const namespace = await session.namespace();
      const { value } = await client.get({ namespace, path, options: { secret } }, { signal });
      const data = value?.data ?? "";
      if (data === "" || data === "null") {
        const detail = `Not found: nothing is set under "${path}" in namespace "${namespace}". Set it with: micro config set ${path} <value>`;
        throw new CommandError(1, detail, 404);
      }
      await out.write(`${out.isJson ? data : unquoted(data)}\n`);
    },
  }),
  set: command({
    summary: "Set a value; without one it is asked for, or read from standard input",
    args: "<path> [value]",
    examples: [
      "config set helloworld.greeting Hello",
      `config set helloworld '{"retries": 3}'`,
      "config set --secret helloworld.key",
      "config set --secret helloworld.cert < cert.pem",
    ],
    flags: { secret: { ...secretFlag, help: "keep the value encrypted" } },
    run: async (context, { secret }, [path = "", word]) => {
      const given = word ?? (await askForValue(context, path, secret));
      const client = await configClient(context);
      const { out, session, signal } = context;
      const namespace = await session.namespace();
      // Without one there is nothing yet, and what keeps the value from being read keeps it from being set as well.
      const before = secret ? undefined : await client.get({ namespace, path }, { signal }).catch(() => undefined);
      await client.set(
        { namespace, path, value: { data: asJson(given), format: "json" }, options: { secret } },
        { signal },
      );
      if (before?.value?.data.includes('"[secret]"') === true)
        out.warn(`${path} was a secret and is kept in clear now. To encrypt it: micro config set --secret ${path}`);
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
  watch: command({
    summary: "Show a value, and again whenever it has changed",
    args: "<path>",
    examples: ["config watch helloworld"],
    flags: { secret: { ...secretFlag, help: "show secrets instead of [secret]" } },
    run: async (context, { secret }, [path = ""]) => {
      const { out, session, signal } = context;
      const [{ Config }, { openStream }] = await Promise.all([
        import("@microts/proto/config"),
        import("@microts/core/rpc/service-client"),
      ]);
      const request = { namespace: await session.namespace(), path, options: { secret } };
      const rpc = await session.rpc();
      const open = () => openStream(Config.method.watch, rpc, "config", request, { signal });
      let last: string | undefined;
      for await (const { value } of followed(context, await open(), open)) {
        const data = value?.data ?? "null";
        // A server that is back says it again.
        if (data === last) continue;
        last = data;
        await out.write(`${out.isJson ? data : unquoted(data)}\n`);
      }
    },
  }),
  rotate: command({
    summary: "Encrypt all secrets of all namespaces anew, under new keys",
    run: async (context) => {
      const { out, signal } = context;
      const client = await configClient(context);
      let last = { done: 0, total: 0, secrets: 0, sealed: [] as string[] };
      for await (const { done, total, secrets, sealed } of client.rotate({}, { signal })) {
        last = { done, total, secrets, sealed };
        out.note(`${done} of ${total} namespaces`);
      }
      const { total, secrets, sealed } = last;
      const words = `${count(secrets, "secret")} of ${count(total, "namespace")} encrypted anew\n`;
      await out.result({ namespaces: total, secrets, sealed }, words);
      if (sealed.length > 0)
        throw new CommandError(
          1,
          `the secrets of ${sealed.join(", ")} are as they were: the server doesn't have the key that they need. See its log`,
        );
    },
  }),
});

async function configClient({ session }: Context) {
  const { Config } = await import("@microts/proto/config");
  return session.client(Config, "config");
}

/** What nobody should find in the shell's history, or in the list of processes. */
async function askForValue(context: Context, path: string, isSecret: boolean): Promise<string> {
  if (context.stdin.isTTY) {
    using prompt = new Prompt(context);
    const question = `Value of ${path}: `;
    return await (isSecret ? prompt.secret(question) : prompt.text(question));
  }
  const value = await text(context.stdin);
  if (value === "") throw usageError(`micro config set needs a value for ${path}: as a word, or on standard input`);
  return value.replace(/\r?\n$/, "");
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
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
