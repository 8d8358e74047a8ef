import { command } from "../command.ts";
import { RegistryView } from "../registry.ts";

export const services = command({
  summary: "List running services",
  examples: ["services", "services --output json"],
  run: async ({ out, session, signal }) => {
    const all = await new RegistryView(session).list(await session.namespace(), signal);
    const names = [...new Set(all.map(({ name }) => name))];
    await out.result(names, names.map((name) => `${name}\n`).join(""));
  },
});
