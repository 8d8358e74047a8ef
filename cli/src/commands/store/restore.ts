import { resolve } from "node:path";
import { command } from "../../command.ts";
import { CommandError, usageError } from "../../failure.ts";
import { Progress } from "../../progress.ts";
import { checkSnapshot, readSnapshot, type SnapshotRecord, snapshotPath } from "./snapshot-file.ts";
import { storeClient, transferText, writeRecords } from "./transfer.ts";

export const restore = command({
  summary: "Write the records of a snapshot into a database, while it is in use",
  args: "[file]",
  plainErrors: true,
  examples: ["store restore acme-20260131-120000.snapshot", "store restore --exact --table posts posts.snapshot"],
  flags: {
    source: {
      kind: "text",
      env: "MICRO_SNAPSHOT_SOURCE",
      help: "the file, a path or file:///path, instead of the word",
    },
    database: {
      kind: "text",
      short: "d",
      env: "MICRO_STORE_DATABASE",
      help: "database (default: the one it was made of)",
    },
    table: {
      kind: "text",
      short: "t",
      env: "MICRO_STORE_TABLE",
      help: "the records of this table alone (default: all)",
    },
    exact: { kind: "bool", help: "delete what the tables have besides" },
  },
  run: async (context, flags, [word]) => {
    const { out, session, signal, stderr, folder } = context;
    const file = flags.source ?? word ?? missing();
    const path = resolve(folder, snapshotPath(file));
    // Before anything is written.
    const { database: made, tables, records } = await checkSnapshot(path);
    const database = flags.database ?? made;
    const exact = !flags.exact ? [] : flags.table === undefined ? tables : [flags.table];
    if (flags.table !== undefined && !tables.includes(flags.table))
      throw new CommandError(1, `there is no table "${flags.table}" in ${path}, only ${tables.join(", ")}`, 404);
    const progress = new Progress(stderr, !out.isJson, "records", records);
    try {
      const target = { client: await storeClient(session), database, exact, progress, signal };
      const done = await writeRecords(ofTable(readSnapshot(path), flags.table), target);
      progress.end();
      await out.result({ database, ...done }, `${transferText(done)} in database ${database}\n`);
    } finally {
      progress.end();
    }
  },
});

async function* ofTable(
  records: AsyncIterable<SnapshotRecord>,
  table: string | undefined,
): AsyncGenerator<SnapshotRecord, void, undefined> {
  for await (const record of records) if (table === undefined || record.table === table) yield record;
}

function missing(): never {
  throw usageError("micro store restore needs the file of a snapshot");
}
