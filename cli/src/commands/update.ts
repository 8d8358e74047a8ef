import { MicroError } from "@microts/core";
import { command } from "../command.ts";
import { update as deploy } from "../deploy.ts";
import { sourceRef } from "../service-ref.ts";

export const update = command({
  summary: "Update a running service",
  args: "<source>",
  examples: ["update ./helloworld", "update hello.ts"],
  flags: {
    name: { kind: "text", help: "name of the service (default: the folder's, or the one in the file)" },
    version: { kind: "text", help: "version to update (default: latest)" },
    instances: { kind: "int", short: "i", help: "how many to run from now on" },
  },
  run: async (context, flags, [source = ""]) => {
    const { project, name, version: refVersion } = await sourceRef(source, flags.name, context);
    const version = flags.version ?? refVersion;
    try {
      await deploy({ project, name, version, instances: flags.instances }, context);
    } catch (error) {
      if (!(error instanceof MicroError) || error.code !== 404) throw error;
      throw MicroError.notFound(error.id, `${error.detail.replace(/\.$/, "")}. Start it with: micro run ${source}`);
    }
    context.out.note(`${name} is up to date.`);
    await context.out.done({ name, version, status: "running" });
  },
});
