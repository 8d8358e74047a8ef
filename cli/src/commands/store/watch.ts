import { command } from "../../command.ts";
import { followed } from "../../follow.ts";

export const watch = command({
  summary: "Show changes of records as they are made",
  args: "[prefix]",
  plainErrors: true,
  examples: ["store watch", "store watch users/ --after 1200"],
  flags: {
    database: { kind: "text", short: "d", help: "database (default: the namespace in use)" },
    table: { kind: "text", short: "t", fallback: "micro", help: "table" },
    after: { kind: "int", short: "a", help: "begin after this revision (default: with what comes)" },
  },
  run: async (context, { database, table, after }, [prefix = ""]) => {
    const { out, session, signal } = context;
    const [{ Store }, { openStream }] = await Promise.all([
      import("@microts/proto/store"),
      import("@microts/core/rpc/service-client"),
    ]);
    const place = { database: database ?? (await session.namespace()), table, prefix: Buffer.from(prefix) };
    const rpc = await session.rpc();
    let seen = after === undefined ? undefined : BigInt(after);
    const open = () => {
      const request = { ...place, ...(seen !== undefined && { resume: true, after: seen }) };
      return openStream(Store.method.watch, rpc, "store", request, { signal });
    };
    for await (const { revision: until, events } of followed(context, await open(), open)) {
      seen = until;
      for (const { entry, gone } of events) {
        if (entry === undefined) continue;
        const [key, revision] = [Buffer.from(entry.key).toString(), Number(entry.revision)];
        const value = Buffer.from(entry.value).toString();
        const json = JSON.stringify({ revision, key, ...(gone ? { gone } : { value }) });
        await out.write(out.isJson ? `${json}\n` : `${revision}\t${key}\t${gone ? "(gone)" : value}\n`);
      }
    }
  },
});
