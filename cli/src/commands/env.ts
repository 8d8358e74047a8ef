import { command, group } from "../command.ts";
import { spaceTable } from "../table.ts";

const list = command({
  summary: "List environments",
  run: async ({ out, session }) => {
    const all = await session.environments.list();
    const current = await session.environmentName();
    // Throws when the environment in use isn't there.
    await session.environments.get(current);
    const rows = all.map(({ name, address, description }) => [
      `${name === current ? "*" : " "} ${name}`,
      address || "none",
      description,
    ]);
    await out.result(
      all.map((environment) => ({ ...environment, current: environment.name === current })),
      spaceTable(rows),
    );
  },
});

export const env = group(
  "Choose where commands act",
  {
    list,
    get: command({
      summary: "Show the environment in use",
      run: async ({ out, session }) => {
        const name = await session.environmentName();
        await out.result(name, `${name}\n`);
      },
    }),
    set: command({
      summary: "Choose the environment to use",
      args: "<name>",
      examples: ["env set prod"],
      run: ({ session }, _flags, [name = ""]) => session.environments.choose(name),
    }),
    add: command({
      summary: "Add an environment",
      args: "<name> [host:port]",
      examples: ["env add prod proxy.example.com:443"],
      flags: { description: { kind: "text", help: "what the environment is" } },
      run: async ({ session }, { description = "" }, [name = "", address = ""]) => {
        if (address !== "") {
          const { parseAddress } = await import("@microts/core/rpc");
          parseAddress(address);
        }
        await session.environments.add({ name, address, description });
      },
    }),
    del: command({
      summary: "Delete an environment",
      args: "<name>",
      run: ({ session }, _flags, [name = ""]) => session.environments.remove(name),
    }),
  },
  list,
);
