import { isUtf8 } from "node:buffer";
import type { Entry } from "@microts/proto/store";
import { command } from "../../command.ts";
import { formatElapsed } from "../../duration.ts";
import { CommandError, usageError } from "../../failure.ts";
import { spaceTable } from "../../table.ts";
import { place, placeFlags, range, rangeFlags } from "./place.ts";
import { type StoreClient, storeClient } from "./transfer.ts";

export const read = command({
  summary: "Read records",
  args: "[key]",
  plainErrors: true,
  formats: ["table"],
  examples: [
    "store read users/jane",
    "store read --prefix users/ --limit 10 --verbose",
    "store read users/jane --output json",
  ],
  flags: {
    ...placeFlags,
    prefix: { kind: "bool", short: "p", help: "every record whose key begins with the key" },
    suffix: { kind: "bool", short: "s", help: "every record whose key ends with the key" },
    ...rangeFlags,
    verbose: { kind: "bool", short: "v", help: "show keys and expiry too" },
  },
  run: async (context, flags, [key = ""]) => {
    const { out, session, signal } = context;
    const { prefix, suffix, verbose } = flags;
    if (key === "" && !prefix && !suffix) throw usageError("micro store read needs a key, or --prefix for all records");
    const store = await storeClient(session);
    const where = await place(flags, context);
    const bytes = Buffer.from(key);
    const { order, ...page } = range(flags);
    const ends = { ...(prefix && { prefix: bytes }), ...(suffix && { suffix: bytes }) };
    const entries =
      prefix || suffix
        ? await scan(store, { ...where, ...ends, ...page, descending: order === "desc" }, signal)
        : [(await store.get({ ...where, key: bytes }, { signal })).entry ?? missing(key, where)];
    await out.result(entries.map(recordJson), verbose ? recordTable(entries) : entries.map(lineOf).join(""));
  },
});

async function scan(
  store: StoreClient,
  request: Parameters<StoreClient["scan"]>[0],
  signal: AbortSignal,
): Promise<Entry[]> {
  const found: Entry[] = [];
  for await (const { entries } of store.scan(request, { signal })) found.push(...entries);
  return found;
}

function missing(key: string, { database, table }: { readonly database: string; readonly table: string }): never {
  const detail = `Not found: ${JSON.stringify(key)} in table ${JSON.stringify(table)} of database ${JSON.stringify(database)}`;
  throw new CommandError(1, detail, 404);
}

function lineOf({ value }: Entry): string {
  return `${textOf(value)}\n`;
}

function recordTable(entries: readonly Entry[]): string {
  const rows = entries.map(({ key, value, ttlMs }) => [
    textOf(key),
    textOf(value),
    ttlMs > 0n ? `in ${formatElapsed(secondsOf(ttlMs) * 1000)}` : "None",
  ]);
  return spaceTable([["KEY", "VALUE", "EXPIRY"], ...rows]);
}

/** What is text stands as such; other bytes in base64. */
function recordJson({ key, value, ttlMs, metadata, revision }: Entry): Record<string, unknown> {
  return {
    ...bytesJson("key", key),
    ...bytesJson("value", value),
    revision: Number(revision),
    ...(ttlMs > 0n && { expiry_seconds: secondsOf(ttlMs) }),
    ...(Object.keys(metadata).length > 0 && { metadata }),
  };
}

function bytesJson(name: string, bytes: Uint8Array): Record<string, string> {
  const buffer = Buffer.from(bytes);
  return isUtf8(buffer) ? { [name]: buffer.toString() } : { [`${name}_base64`]: buffer.toString("base64") };
}

function secondsOf(ms: bigint): number {
  return Math.ceil(Number(ms) / 1000);
}

/** Bytes that are no text are shown as 0x and the first 20 of them. */
function textOf(value: Uint8Array): string {
  const bytes = Buffer.from(value);
  return isUtf8(bytes) ? bytes.toString() : `0x${bytes.subarray(0, 20).toString("hex")}`;
}
