import type { Account } from "@microts/proto/auth";
import { command, group } from "../command.ts";
import type { Context } from "../context.ts";
import { CommandError, usageError } from "../failure.ts";
import { Prompt } from "../prompt.ts";
import { storedToken, tokenSeconds } from "../session.ts";
import { spaceTable } from "../table.ts";

const plainErrors = true;

const show = command({
  summary: "Show who you are",
  plainErrors,
  run: async (context) => {
    const { id, name, type, issuer, scopes } = await whoAmI(context);
    await context.out.result({ id, name, type, namespace: issuer, scopes }, `${name || id}\n`);
  },
});

const token = command({
  summary: "Print the access token",
  plainErrors,
  run: async ({ out, session }) => {
    const text = (await session.token()) ?? notSignedIn();
    await out.result(text, `${text}\n`);
  },
});

const namespace = group(
  "Show or choose the namespace",
  {
    set: command({
      summary: "Choose the namespace for the environment in use",
      args: "<namespace>",
      plainErrors,
      examples: ["user namespace set acme"],
      run: async ({ session }, _flags, [name = ""]) => {
        if (!/^[a-z0-9][a-z0-9-]{0,62}$/.test(name)) {
          throw usageError(
            `"${name}" is not a namespace: it takes lower-case letters, digits and "-", begins with a letter or digit and is at most 63 long`,
          );
        }
        await session.config.set(await session.namespaceName(), name);
      },
    }),
  },
  command({
    summary: "Show the namespace in use",
    plainErrors,
    run: async ({ out, session }) => {
      const name = await session.namespace();
      await out.result(name, `${name}\n`);
    },
  }),
);

const config = group(
  "Show and change local settings",
  {
    get: command({
      summary: "Show a setting",
      args: "<name>",
      plainErrors,
      examples: ["user config get git.baseurl"],
      run: async ({ out, session }, _flags, [name = ""]) => {
        const value = (await session.config.get(name)) ?? "";
        await out.result(value, `${value}\n`);
      },
    }),
    set: command({
      summary: "Change a setting",
      args: "<name> <value>",
      plainErrors,
      run: ({ session }, _flags, [name = "", value = ""]) => session.config.set(name, value),
    }),
    delete: command({
      summary: "Empty a setting",
      args: "<name>",
      plainErrors,
      run: ({ session }, _flags, [name = ""]) => session.config.set(name, ""),
    }),
  },
  command({ summary: "Show local settings", plainErrors, run: showSettings }),
);

const password = command({
  summary: "Change your password",
  plainErrors,
  flags: {
    email: { kind: "text", alias: "username", help: "account to change (default: the one signed in)" },
    old_password: { kind: "text", help: "asked for when not given" },
    new_password: { kind: "text", help: "asked for when not given" },
  },
  run: async (context, flags) => {
    const { session, signal } = context;
    const id = flags.email ?? (await whoAmI(context)).id;
    using prompt = new Prompt(context);
    const oldSecret = flags.old_password ?? (await prompt.secret("Enter current password: "));
    const newSecret = flags.new_password ?? (await prompt.secret("Enter a new password: "));
    if (flags.new_password === undefined && (await prompt.secret("Verify your new password: ")) !== newSecret) {
      throw usageError("the two passwords are not the same");
    }
    const { Accounts, Auth } = await import("@microts/proto/auth");
    const accounts = await session.client(Accounts, "auth");
    const options = { namespace: await session.namespace() };
    await accounts.changeSecret({ id, oldSecret, newSecret, options }, { signal });
    if ((await session.owner())?.account !== id) return;
    // The old password's tokens have ended with it.
    const request = { id, secret: newSecret, tokenExpiry: tokenSeconds, options };
    const { token: renewed } = await session.anonymously(Auth, "auth", (auth) => auth.token(request, { signal }));
    await session.signIn(id, storedToken(renewed));
  },
});

export const user = group(
  "Show and change who you are",
  { config, token, namespace, set: group("Change your account", { password }) },
  show,
);

/** Asks the server, which alone knows. */
async function whoAmI({ session, signal }: Context): Promise<Account> {
  const accessToken = (await session.token()) ?? notSignedIn();
  const { Auth } = await import("@microts/proto/auth");
  const auth = await session.client(Auth, "auth");
  const { account } = await auth.inspect({ token: accessToken }, { signal });
  return account ?? notSignedIn();
}

async function showSettings(context: Context): Promise<void> {
  const { out, session } = context;
  const account = await whoAmI(context).catch(() => undefined);
  const hasGit =
    (await session.config.get("git.credentials.token")) || (await session.config.get("git.credentials.github"));
  const settings = {
    user: account?.name || account?.id || "n/a",
    namespace: await session.namespace(),
    environment: await session.environmentName(),
    "git.credentials": hasGit ? "[hidden]" : "n/a",
    "git.baseurl": (await session.config.get("git.baseurl")) || "n/a",
  };
  const rows = Object.entries(settings).map(([name, value]) => [`${name}:`, value]);
  await out.result(settings, spaceTable(rows));
}

function notSignedIn(): never {
  throw new CommandError(1, "You are not logged in. Sign in with: micro login", 401);
}
