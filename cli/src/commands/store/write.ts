import { buffer } from "node:stream/consumers";
import { command } from "../../command.ts";
import { usageError } from "../../failure.ts";
import { place, placeFlags } from "./place.ts";
import { storeClient } from "./transfer.ts";

const conditionFlag = {
  if_revision: {
    kind: "int",
    help: "only if the record there has this revision, which read --output json shows; 0: only if there is none",
  },
} as const;

export const write = command({
  summary: "Write a record; without a value, standard input as it is",
  args: "<key> [value]…",
  plainErrors: true,
  examples: [
    "store write users/jane '{\"age\": 40}'",
    "store write --expiry 10m session abc",
    "store write --if_revision 0 lock me",
    "store write logo < logo.png",
  ],
  flags: {
    ...placeFlags,
    expiry: { kind: "duration", short: "e", help: "when the record ends, such as 10m (default: never)" },
    ...conditionFlag,
  },
  run: async (context, flags, [key = "", ...words]) => {
    const { out, session, signal, stdin } = context;
    if (words.length === 0 && stdin.isTTY)
      throw usageError(`micro store write needs a value for ${key}: as words, or on standard input`);
    const value = words.length > 0 ? Buffer.from(words.join(" ")) : await buffer(stdin);
    const entry = { key: Buffer.from(key), value, ttlMs: BigInt(Math.ceil(flags.expiry ?? 0)) };
    const store = await storeClient(session);
    const request = { ...(await place(flags, context)), changes: [{ entry, ...condition(flags.if_revision) }] };
    const { revision } = await store.commit(request, { signal });
    await out.done({ key, revision: Number(revision) });
  },
});

export const remove = command({
  summary: "Delete a record",
  args: "<key>",
  plainErrors: true,
  flags: { ...placeFlags, ...conditionFlag },
  run: async (context, flags, [key = ""]) => {
    const store = await storeClient(context.session);
    const change = { entry: { key: Buffer.from(key) }, delete: true, ...condition(flags.if_revision) };
    await store.commit({ ...(await place(flags, context)), changes: [change] }, { signal: context.signal });
  },
});

function condition(revision: number | undefined) {
  return revision === undefined ? {} : { conditional: true, revision: BigInt(revision) };
}
