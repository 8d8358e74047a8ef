import { command } from "../../command.ts";
import { usageError } from "../../failure.ts";
import { Progress } from "../../progress.ts";
import type { SnapshotRecord } from "./snapshot-file.ts";
import { countRecords, recordsOf, storeClient, transferText, writeRecords } from "./transfer.ts";

export const sync = command({
  summary: "Copy the records of a database into another, of this environment or another one, while both are in use",
  plainErrors: true,
  examples: [
    "store sync --to_env prod",
    "store sync --from_database acme --from_table posts --to_table posts2 --exact",
  ],
  flags: {
    from_env: { kind: "text", help: "environment to read from (default: the one in use)" },
    from_database: {
      kind: "text",
      env: "MICRO_STORE_FROM_DATABASE",
      help: "database to read (default: the namespace in use there)",
    },
    from_table: { kind: "text", env: "MICRO_STORE_FROM_TABLE", help: "this table alone (default: all)" },
    to_env: { kind: "text", help: "environment to write to (default: the one in use)" },
    to_database: { kind: "text", env: "MICRO_STORE_TO_DATABASE", help: "database to write (default: the one read)" },
    to_table: {
      kind: "text",
      env: "MICRO_STORE_TO_TABLE",
      help: "with --from_table: table to write (default: the one read)",
    },
    exact: { kind: "bool", help: "delete what the tables written to have besides" },
  },
  run: async (context, flags) => {
    const { out, session, signal, stderr } = context;
    const { from_table: fromTable, to_table: toTable } = flags;
    if (toTable !== undefined && fromTable === undefined) throw usageError("--to_table goes with --from_table");
    await using from = session.elsewhere(flags.from_env);
    await using to = session.elsewhere(flags.to_env);
    const database = flags.from_database ?? (await from.namespace());
    const into = flags.to_database ?? database;
    const isSameServer = (await from.address()) === (await to.address());
    if (isSameServer && database === into && (toTable ?? fromTable) === fromTable)
      throw usageError("it would be copied into itself: say --to_env, --to_database or --to_table");
    const source = await storeClient(from);
    const tables = fromTable === undefined ? (await source.tables({ database }, { signal })).tables : [fromTable];
    const total = await countRecords(source, database, tables, signal);
    const progress = new Progress(stderr, !out.isJson, "records", total);
    try {
      const exact = !flags.exact ? [] : toTable === undefined ? tables : [toTable];
      const target = { client: await storeClient(to), database: into, exact, progress, signal };
      const done = await writeRecords(renamed(recordsOf(source, database, tables, signal), toTable), target);
      progress.end();
      await out.result({ database: into, ...done }, `${transferText(done)} in database ${into}\n`);
    } finally {
      progress.end();
    }
  },
});

async function* renamed(
  records: AsyncIterable<SnapshotRecord>,
  table: string | undefined,
): AsyncGenerator<SnapshotRecord, void, undefined> {
  for await (const record of records) yield table === undefined ? record : { ...record, table };
}
