import type { Record as StoreRecord } from "@microts/proto/store";
import { command, group } from "../command.ts";
import type { Context } from "../context.ts";
import { formatElapsed } from "../duration.ts";
import { CommandError, usageError } from "../failure.ts";
import { spaceTable } from "../table.ts";
import { blob } from "./store/blob.ts";
import { restore } from "./store/restore.ts";
import { snapshot } from "./store/snapshot.ts";
import { sync } from "./store/sync.ts";
import { storeClient } from "./store/transfer.ts";
import { watch } from "./store/watch.ts";

const plainErrors = true;

const placeFlags = {
  database: { kind: "text", short: "d", help: "database (default: the namespace in use)" },
  table: { kind: "text", short: "t", fallback: "micro", help: "table" },
} as const;

const rangeFlags = {
  limit: { kind: "int", short: "l", help: "at most so many" },
  offset: { kind: "int", short: "o", help: "leave out so many at the beginning" },
  order: { kind: "text", choices: ["asc", "desc"], fallback: "asc", help: "by key" },
} as const;

const read = command({
  summary: "Read records",
  args: "[key]",
  plainErrors,
  formats: ["table"],
  examples: ["store read users/jane", "store read --prefix users/ --limit 10 --verbose"],
  flags: {
    ...placeFlags,
    prefix: { kind: "bool", short: "p", help: "every record whose key begins with the key" },
    suffix: { kind: "bool", short: "s", help: "every record whose key ends with the key" },
    ...rangeFlags,
    verbose: { kind: "bool", short: "v", help: "show keys and expiry too" },
  },
  run: async (context, flags, [key = ""]) => {
    const { out, signal } = context;
    const { prefix, suffix } = flags;
    if (key === "" && !prefix && !suffix) throw usageError("micro store read needs a key, or --prefix for all records");
    const store = await storeClient(context.session);
    const options = { ...(await place(flags, context)), prefix, suffix, ...range(flags) };
    const { records } = await store.read({ key, options }, { signal });
    if (records.length === 0 && !prefix && !suffix) throw new CommandError(1, "Not found", 404);
    await out.result(
      records.map(recordJson),
      flags.verbose ? recordTable(records) : records.map(({ value }) => `${textOf(value)}\n`).join(""),
    );
  },
});

const write = command({
  summary: "Write a record",
  args: "<key> <value>…",
  plainErrors,
  examples: ["store write users/jane '{\"age\": 40}'", "store write --expiry 10m session abc"],
  flags: {
    ...placeFlags,
    expiry: { kind: "duration", short: "e", help: "when the record ends, such as 10m (default: never)" },
  },
  run: async (context, flags, [key = "", ...words]) => {
    const store = await storeClient(context.session);
    const seconds = flags.expiry === undefined ? 0 : Math.ceil(flags.expiry / 1000);
    const record = { key, value: Buffer.from(words.join(" ")), expiry: BigInt(seconds) };
    await store.write({ record, options: await place(flags, context) }, { signal: context.signal });
  },
});

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

const remove = command({
  summary: "Delete a record",
  args: "<key>",
  plainErrors,
  flags: placeFlags,
  run: async (context, flags, [key = ""]) => {
    const store = await storeClient(context.session);
    await store.delete({ key, options: await place(flags, context) }, { signal: context.signal });
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
  watch,
  databases,
  tables,
  blob,
  snapshot,
  restore,
  sync,
});

async function place(
  flags: { database: string | undefined; table: string },
  { session }: Context,
): Promise<{ database: string; table: string }> {
  return { database: flags.database ?? (await session.namespace()), table: flags.table };
}

function range({
  limit = 0,
  offset = 0,
  order,
}: {
  limit: number | undefined;
  offset: number | undefined;
  order: string;
}) {
  return { limit: BigInt(limit), offset: BigInt(offset), order };
}

function recordTable(records: readonly StoreRecord[]): string {
  const rows = records.map(({ key, value, expiry }) => [
    key,
    textOf(value),
    expiry > 0n ? `in ${formatElapsed(Number(expiry) * 1000)}` : "None",
  ]);
  return spaceTable([["KEY", "VALUE", "EXPIRY"], ...rows]);
}

/** Values that are JSON or text stand as such; others in base64. */
function recordJson({ key, value, expiry, metadata }: StoreRecord): Record<string, unknown> {
  const isText = isUtf8(value);
  const fields = Object.entries(metadata).map(([name, field]) => [name, field.value]);
  return {
    key,
    ...(isText ? { value: Buffer.from(value).toString() } : { value_base64: Buffer.from(value).toString("base64") }),
    ...(expiry > 0n && { expiry_seconds: Number(expiry) }),
    ...(fields.length > 0 && { metadata: Object.fromEntries(fields) }),
  };
}

/** Bytes that are no text are shown as 0x and the first 20 of them. */
function textOf(value: Uint8Array): string {
  const bytes = Buffer.from(value);
  return isUtf8(value) ? bytes.toString() : `0x${bytes.subarray(0, 20).toString("hex")}`;
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}
