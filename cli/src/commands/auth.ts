import { Access, type Account, type Rule } from "@microts/proto/auth";
import { command, group } from "../command.ts";
import type { Context } from "../context.ts";
import { usageError } from "../failure.ts";
import { Prompt } from "../prompt.ts";
import { tabTable } from "../table.ts";

const plainErrors = true;

const listRules = command({
  summary: "List rules",
  plainErrors,
  run: async (context) => {
    const { out, signal } = context;
    const rules = await rulesClient(context);
    const { rules: all } = await rules.list({ options: await options(context) }, { signal });
    const sorted = all.toSorted((a, b) => b.priority - a.priority || (a.id < b.id ? -1 : 1));
    const rows = sorted.map((rule) => [
      rule.id,
      rule.scope || "<public>",
      accessName(rule),
      resourceText(rule),
      String(rule.priority),
    ]);
    await out.result(
      sorted.map((rule) => ({
        id: rule.id,
        scope: rule.scope,
        access: accessName(rule),
        resource: resourceText(rule),
        priority: rule.priority,
      })),
      tabTable([["ID", "Scope", "Access", "Resource", "Priority"], ...rows], 1),
    );
  },
});

const listAccounts = command({
  summary: "List accounts",
  plainErrors,
  run: async (context) => {
    const { out, signal } = context;
    const accounts = await accountsClient(context);
    const { accounts: all } = await accounts.list({ options: await options(context) }, { signal });
    const sorted = all.toSorted((a, b) => (a.id < b.id ? -1 : 1));
    const rows = sorted.map(({ id, name, scopes, metadata }) => [
      id,
      name || id,
      scopes.join(", ") || "n/a",
      metadataText(metadata),
    ]);
    await out.result(sorted.map(accountJson), tabTable([["ID", "Name", "Scopes", "Metadata"], ...rows], 1));
  },
});

const createRule = command({
  summary: "Create a rule",
  args: "<id>",
  plainErrors,
  examples: ["auth create rule readers --scope reader --resource service:blog:Posts.List"],
  flags: {
    scope: { kind: "text", help: "who: a scope, * for any account, nothing for anybody" },
    resource: { kind: "text", help: "what: type:name:endpoint, such as service:helloworld:*" },
    access: { kind: "text", choices: ["granted", "denied"], fallback: "granted", help: "what they may" },
    priority: { kind: "text", help: "the rule with the highest decides (default: 0)" },
  },
  run: async (context, flags, [id = ""]) => {
    const resource = readResource(flags.resource);
    const access = flags.access === "denied" ? Access.DENIED : Access.GRANTED;
    const rule = { id, scope: flags.scope ?? "", resource, access, priority: readPriority(flags.priority ?? "0") };
    const rules = await rulesClient(context);
    await rules.create({ rule, options: await options(context) }, { signal: context.signal });
    await context.out.result({ id }, "Rule created\n");
  },
});

const createAccount = command({
  summary: "Create an account",
  args: "<id>",
  plainErrors,
  examples: ["auth create account jane --scopes editor"],
  flags: {
    secret: { kind: "text", help: "its password (default: a random one, which is printed)" },
    scopes: { kind: "list", help: "what it may, with commas" },
    name: { kind: "text", help: "another name to sign in with (default: the id)" },
    type: { kind: "text", fallback: "user", choices: ["user", "service"], help: "kind of account" },
  },
  run: async (context, flags, [id = ""]) => {
    const { Auth } = await import("@microts/proto/auth");
    const auth = await context.session.client(Auth, "auth");
    const { secret = "", name = "", scopes, type } = flags;
    const request = { id, secret, name, type, scopes: [...scopes], options: await options(context) };
    const { account } = await auth.generate(request, { signal: context.signal });
    const json = { ...(account === undefined ? { id } : accountJson(account)), secret: account?.secret || secret };
    await context.out.result(json, `Account created: ${JSON.stringify(json)}\n`);
  },
});

const deleteRule = command({
  summary: "Delete a rule",
  args: "<id>",
  plainErrors,
  run: async (context, _flags, [id = ""]) => {
    const rules = await rulesClient(context);
    await rules.delete({ id, options: await options(context) }, { signal: context.signal });
    await context.out.result({ id }, "Rule deleted\n");
  },
});

const deleteAccount = command({
  summary: "Delete an account",
  args: "<id>",
  plainErrors,
  run: async (context, _flags, [id = ""]) => {
    const accounts = await accountsClient(context);
    await accounts.delete({ id, options: await options(context) }, { signal: context.signal });
    await context.out.done({ id });
  },
});

const updateSecret = command({
  summary: "Change the secret of an account",
  args: "<id>",
  plainErrors,
  flags: {
    old_secret: { kind: "text", help: "the secret until now; an admin needs none" },
    new_secret: { kind: "text", help: "asked for when not given" },
  },
  run: async (context, flags, [id = ""]) => {
    using prompt = new Prompt(context);
    const newSecret = flags.new_secret ?? (await prompt.secret("Enter the new secret: "));
    const accounts = await accountsClient(context);
    const request = { id, oldSecret: flags.old_secret ?? "", newSecret, options: await options(context) };
    await accounts.changeSecret(request, { signal: context.signal });
    await context.out.result({ id }, "Account updated\n");
  },
});

export const auth = group("Manage accounts and rules", {
  list: group("List rules or accounts", { rules: listRules, accounts: listAccounts }),
  create: group("Create a rule or an account", { rule: createRule, account: createAccount }),
  delete: group("Delete a rule or an account", { rule: deleteRule, account: deleteAccount }),
  update: group("Change an account", { secret: updateSecret }),
});

async function rulesClient({ session }: Context) {
  const { Rules } = await import("@microts/proto/auth");
  return session.client(Rules, "auth");
}

async function accountsClient({ session }: Context) {
  const { Accounts } = await import("@microts/proto/auth");
  return session.client(Accounts, "auth");
}

async function options({ session }: Context): Promise<{ namespace: string }> {
  return { namespace: await session.namespace() };
}

function accountJson({ id, type, issuer, metadata, scopes, name }: Account): Record<string, unknown> {
  return { id, type, issuer, metadata, scopes, name };
}

function accessName({ access }: Rule): string {
  return access === Access.DENIED ? "DENIED" : access === Access.GRANTED ? "GRANTED" : "UNKNOWN";
}

function resourceText({ resource }: Rule): string {
  return [resource?.type, resource?.name, resource?.endpoint].map((part) => part || "*").join(":");
}

function metadataText(metadata: Readonly<Record<string, string>>): string {
  return (
    Object.entries(metadata)
      .map(([key, value]) => `${key}=${value}`)
      .join(" ") || "n/a"
  );
}

function readResource(text: string | undefined): { type: string; name: string; endpoint: string } {
  const [type = "", name = "", endpoint = "", ...more] = text?.split(":") ?? [];
  if (type === "" || name === "" || endpoint === "" || more.length > 0) {
    throw usageError(`--resource must be type:name:endpoint, such as service:helloworld:*, not "${text ?? ""}"`);
  }
  return { type, name, endpoint };
}

function readPriority(text: string): number {
  const priority = Number(text);
  if (/^-?\d+$/.test(text) && Math.abs(priority) < 2 ** 31) return priority;
  throw usageError(`--priority must be a whole number, not "${text}"`);
}
