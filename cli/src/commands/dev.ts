import { command } from "../command.ts";
import type { Context } from "../context.ts";
import { remove } from "../deploy.ts";
import { type DevServer, findOrStartServer } from "../dev/dev-server.ts";
import { exampleCalls } from "../dev/examples.ts";
import { LogFollower } from "../dev/log-follower.ts";
import { developUntilStopped, type LoopEvents } from "../dev/loop.ts";
import { RegistryView } from "../registry.ts";
import { sourceRef } from "../service-ref.ts";

/** Ctrl-C should not wait longer for a service to go. */
const removeTimeoutMs = 10_000;

export const dev = command({
  summary: "Run a service, reload it on each save",
  args: "[source]",
  examples: ["dev hello.ts", "dev ./helloworld"],
  flags: {
    name: { kind: "text", help: "name of the service (default: the folder's, or the one in the file)" },
    env_vars: { kind: "pairs", help: "environment of the service, key=value; may be repeated" },
  },
  run: async (outer, flags, [source = "."]) => {
    const { project, name, version } = await sourceRef(source, flags.name, outer);
    await using server = await findOrStartServer(outer);
    const { context } = server;
    const choices = { env: flags.env_vars, metadata: {}, command: [], args: [], force: true };
    const events = printer(name, version, server);
    try {
      await developUntilStopped({ project, name, version, instances: undefined }, choices, events, context);
    } finally {
      // Also after a failure: what didn't start may have left its state behind.
      await remove(name, version, context, AbortSignal.timeout(removeTimeoutMs)).catch(() => {});
    }
  },
});

function printer(name: string, version: string, server: DevServer): LoopEvents {
  const { context } = server;
  const { out } = context;
  const started = new Date();
  const logs = new LogFollower(name, version, context);
  return {
    onRunning: async (elapsedMs, isFirst) => {
      const ms = Math.round(elapsedMs);
      await out.write(isFirst ? await welcome(name, ms, server) : `${name} updated in ${ms} ms\n`);
      logs.follow(isFirst ? started : new Date());
    },
    onFailed: (text, isOldRunning) => {
      const rest = isOldRunning ? "The version before goes on running." : "Waiting for the next save.";
      out.warn(`${text}\n${rest}`);
    },
  };
}

async function welcome(name: string, ms: number, { context, api, dashboard, platform }: DevServer): Promise<string> {
  const lines = [`${name} runs (${ms} ms) and reloads on each save. Ctrl-C stops it.`];
  if (api !== undefined) lines.push(`  API        http://${api}`);
  if (dashboard !== undefined) lines.push(`  Dashboard  http://${dashboard}${signIn(platform)}`);
  const calls = await examples(name, context, api);
  if (calls.length > 0) lines.push("Try it:", ...calls.map((call) => `  ${call}`));
  return `${lines.join("\n")}\n`;
}

function signIn(platform: DevServer["platform"]): string {
  if (platform?.adminPassword === undefined) return "";
  return `  sign in as admin, password ${platform.adminPassword}`;
}

async function examples(name: string, { session, signal }: Context, api: string | undefined): Promise<string[]> {
  const found = await new RegistryView(session).find(name, signal).catch(() => undefined);
  const [service] = found?.versions ?? [];
  return service === undefined ? [] : exampleCalls(service, api, await session.namespace());
}
