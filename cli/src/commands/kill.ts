import { command } from "../command.ts";
import { remove } from "../deploy.ts";
import { serviceRef } from "../service-ref.ts";

export const kill = command({
  summary: "Stop a service",
  args: "<name[@version]>",
  examples: ["kill helloworld", "kill ./helloworld"],
  flags: {
    version: { kind: "text", help: "version to stop (default: latest)" },
  },
  run: async (context, flags, [text = ""]) => {
    const ref = await serviceRef(text, context);
    const version = flags.version ?? ref.version;
    await remove(ref.name, version, context);
    await context.out.done({ name: ref.name, version, status: "stopped" });
  },
});
