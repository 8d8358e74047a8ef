import type { Command, Group } from "./command.ts";

interface Entry {
  readonly summary: string;
  /** Loads the command alone, so that each one starts with only what it needs. */
  load(): Promise<Command | Group>;
}

/** Every built-in command, in the order of the help. */
export const commands: Readonly<Record<string, Entry>> = {
  auth: { summary: "Manage accounts and rules", load: async () => (await import("./commands/auth.ts")).auth },
  broker: {
    summary: "Publish and subscribe to messages",
    load: async () => (await import("./commands/broker.ts")).broker,
  },
  call: { summary: "Call a service", load: async () => (await import("./commands/call.ts")).call },
  config: { summary: "Manage configuration values", load: async () => (await import("./commands/config.ts")).config },
  dev: { summary: "Run a service, reload it on each save", load: async () => (await import("./commands/dev.ts")).dev },
  env: { summary: "Choose where commands act", load: async () => (await import("./commands/env.ts")).env },
  events: {
    summary: "Publish, read and consume streams of events",
    load: async () => (await import("./commands/events.ts")).events,
  },
  get: { summary: "Show a resource", load: async () => (await import("./commands/get.ts")).get },
  kill: { summary: "Stop a service", load: async () => (await import("./commands/kill.ts")).kill },
  login: { summary: "Sign in", load: async () => (await import("./commands/login.ts")).login },
  logout: { summary: "Sign out", load: async () => (await import("./commands/logout.ts")).logout },
  logs: { summary: "Show the logs of a service", load: async () => (await import("./commands/logs.ts")).logs },
  new: {
    summary: "Make the folder of a new service",
    load: async () => (await import("./commands/new.ts")).newService,
  },
  run: { summary: "Run a service", load: async () => (await import("./commands/run.ts")).run },
  server: { summary: "Run the micro server", load: async () => (await import("./commands/server.ts")).server },
  services: { summary: "List running services", load: async () => (await import("./commands/services.ts")).services },
  status: { summary: "Show the state of services", load: async () => (await import("./commands/status.ts")).status },
  store: { summary: "Read and write stored records", load: async () => (await import("./commands/store.ts")).store },
  stream: { summary: "Call a streaming endpoint", load: async () => (await import("./commands/stream.ts")).stream },
  update: { summary: "Update a running service", load: async () => (await import("./commands/update.ts")).update },
  user: { summary: "Show and change who you are", load: async () => (await import("./commands/user.ts")).user },
  version: { summary: "Show the version", load: async () => (await import("./commands/version.ts")).version },
};
