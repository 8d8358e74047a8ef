import { command } from "../command.ts";
import { RegistryView } from "../registry.ts";

export const services = command({
  summary: "List running services",
  examples: ["services", "services --output json"],
  run: async ({ out, session, signal }) => {
    const names = await new RegistryView(session).names(await session.namespace(), signal);
    await out.result(names, names.map((name) => `${name}\n`).join(""));
  },
});
