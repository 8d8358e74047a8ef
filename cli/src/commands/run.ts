import { command } from "../command.ts";
import { create } from "../deploy.ts";
import { sourceRef } from "../service-ref.ts";

export const run = command({
  summary: "Run a service",
  args: "<source>",
  examples: ["run ./helloworld", "run hello.ts", "run ./helloworld@v2 --env_vars GREETING=Hi"],
  flags: {
    name: { kind: "text", help: "name of the service (default: the folder's, or the one in the file)" },
    version: { kind: "text", help: "version to run it as (default: latest)" },
    env_vars: { kind: "pairs", help: "environment of the service, key=value; may be repeated" },
    metadata: { kind: "pairs", help: "kept with the service, key=value; may be repeated" },
    instances: { kind: "int", short: "i", help: "how many to run (default: 1)" },
    force: { kind: "bool", help: "replace a service of the same name" },
  },
  run: async (context, flags, [source = ""]) => {
    const { project, name, version: refVersion } = await sourceRef(source, flags.name, context);
    const version = flags.version ?? refVersion;
    const { env_vars: env, metadata, instances, force } = flags;
    await create({ project, name, version, instances }, { env, metadata, force }, context);
    context.out.note(`${name} is running. See its commands: micro ${name} --help`);
    await context.out.done({ name, version, status: "running" });
  },
});
