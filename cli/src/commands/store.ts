import { command, group } from "../command.ts";
import { blob } from "./store/blob.ts";
import { commit } from "./store/commit.ts";
import { place, placeFlags, range, rangeFlags } from "./store/place.ts";
import { read } from "./store/read.ts";
import { restore } from "./store/restore.ts";
import { snapshot } from "./store/snapshot.ts";
import { sync } from "./store/sync.ts";
import { storeClient } from "./store/transfer.ts";
import { watch } from "./store/watch.ts";
import { remove, write } from "./store/write.ts";

const plainErrors = true;

const list = command({
  summary: "List keys",
  args: "[prefix]",
  plainErrors,
  examples: ["store list", "store list --prefix users/"],
  flags: {
    ...placeFlags,
    prefix: { kind: "bool", short: "p", help: "keys that begin with the word given, which is the default" },
    suffix: { kind: "bool", short: "s", help: "keys that end with the word given" },
    ...rangeFlags,
  },
  run: async (context, flags, [text = ""]) => {
    const { out, signal } = context;
    const store = await storeClient(context.session);
    const ends = flags.suffix ? { suffix: text } : { prefix: text };
    const keys: string[] = [];
    const options = { ...(await place(flags, context)), ...ends, ...range(flags) };
    for await (const reply of store.list({ options }, { signal })) keys.push(...reply.keys);
    await out.result(keys, keys.map((key) => `${key}\n`).join(""));
  },
});

const databases = command({
  summary: "List databases",
  plainErrors,
  run: async (context) => {
    const store = await storeClient(context.session);
    const { databases: names } = await store.databases({}, { signal: context.signal });
    await context.out.result(names, names.map((name) => `${name}\n`).join(""));
  },
});

const tables = command({
  summary: "List the tables of a database",
  plainErrors,
  flags: { database: placeFlags.database },
  run: async (context, flags) => {
    const store = await storeClient(context.session);
    const database = flags.database ?? (await context.session.namespace());
    const { tables: names } = await store.tables({ database }, { signal: context.signal });
    await context.out.result(names, names.map((name) => `${name}\n`).join(""));
  },
});

const count = command({
  summary: "Count records",
  args: "[prefix]",
  plainErrors,
  examples: ["store count", "store count users/"],
  flags: placeFlags,
  run: async (context, flags, [prefix = ""]) => {
    const store = await storeClient(context.session);
    const request = { ...(await place(flags, context)), prefix: Buffer.from(prefix) };
    const { count: found } = await store.count(request, { signal: context.signal });
    await context.out.result(Number(found), `${found}\n`);
  },
});

export const store = group("Read and write stored records", {
  read,
  write,
  list,
  count,
  delete: remove,
  commit,
  watch,
  databases,
  tables,
  blob,
  snapshot,
  restore,
  sync,
});
