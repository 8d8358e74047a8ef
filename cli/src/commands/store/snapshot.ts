import { resolve } from "node:path";
import { command } from "../../command.ts";
import { CommandError } from "../../failure.ts";
import { Progress } from "../../progress.ts";
import { snapshotPath, writeSnapshot } from "./snapshot-file.ts";
import { countRecords, recordsOf, storeClient } from "./transfer.ts";

export const snapshot = command({
  summary: "Copy the records of a database into a file, while it is in use",
  args: "[file]",
  plainErrors: true,
  examples: ["store snapshot", "store snapshot --database acme --table posts posts.snapshot"],
  flags: {
    destination: {
      kind: "text",
      env: "MICRO_SNAPSHOT_DESTINATION",
      help: "the file, a path or file:///path, instead of the word (default: <database>-<time>.snapshot in this folder)",
    },
    database: {
      kind: "text",
      short: "d",
      env: "MICRO_STORE_DATABASE",
      help: "database (default: the namespace in use)",
    },
    table: { kind: "text", short: "t", env: "MICRO_STORE_TABLE", help: "this table alone (default: all)" },
  },
  run: async (context, flags, [word]) => {
    const { out, session, signal, stderr, folder } = context;
    const client = await storeClient(session);
    const database = flags.database ?? (await session.namespace());
    const { tables } = await client.tables({ database }, { signal });
    if (flags.table !== undefined && !tables.includes(flags.table))
      throw new CommandError(1, `there is no table "${flags.table}" in the database "${database}"`, 404);
    const chosen = flags.table === undefined ? tables : [flags.table];
    const createdAt = new Date();
    const path = resolve(folder, snapshotPath(flags.destination ?? word ?? fileName(database, createdAt)));
    const progress = new Progress(stderr, !out.isJson, "records", await countRecords(client, database, chosen, signal));
    try {
      const source = recordsOf(client, database, chosen, signal);
      const records = await writeSnapshot(path, { database, tables: chosen, createdAt }, source, () => progress.add(1));
      progress.end();
      await out.result({ file: path, database, tables: chosen, records }, `${records} records in ${path}\n`);
    } finally {
      progress.end();
    }
  },
});

/** Whatever a database is called, its name is no path. */
function fileName(database: string, createdAt: Date): string {
  const time = createdAt
    .toISOString()
    .replace(/\.\d+Z$/, "")
    .replaceAll(/[-:]/g, "")
    .replace("T", "-");
  return `${encodeURIComponent(database).replaceAll(".", "%2E")}-${time}.snapshot`;
}
