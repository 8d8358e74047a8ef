import { command } from "../command.ts";
import { usageError } from "../failure.ts";
import { Prompt } from "../prompt.ts";
import { storedToken, tokenSeconds } from "../session.ts";

export const login = command({
  summary: "Sign in",
  plainErrors: true,
  examples: ["login", "login --username admin"],
  flags: {
    username: { kind: "text", alias: "email", help: "id or name of the account; asked for when not given" },
    password: {
      kind: "text",
      help: "its password; asked for when not given, which keeps it out of the shell's history",
    },
  },
  run: async (context, flags) => {
    const { out, session, signal } = context;
    using prompt = new Prompt(context);
    const id = flags.username ?? (await prompt.text("Enter username: ")).trim();
    if (id === "") throw usageError("the username is empty");
    const secret = flags.password ?? (await prompt.secret("Enter password: "));
    const namespace = await session.namespace();
    const { Auth } = await import("@microts/proto/auth");
    const request = { id, secret, tokenExpiry: tokenSeconds, options: { namespace } };
    const reply = await session.anonymously(Auth, "auth", (auth) => auth.token(request, { signal }));
    const token = storedToken(reply.token);
    const account = accountIn(token.accessToken) ?? id;
    await session.signIn(account, token);
    await out.result({ account, namespace, environment: await session.environmentName() }, "Successfully logged in.\n");
  },
});

/** The account that a token was made for, which may have been named by another of its names. The server has proven it; nothing depends on it here. */
function accountIn(token: string): string | undefined {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
    const { sub } = claims as { sub?: unknown };
    return typeof sub === "string" && sub !== "" ? sub : undefined;
  } catch {
    return undefined;
  }
}
