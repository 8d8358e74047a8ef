import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { text } from "node:stream/consumers";
import { bytesOfBase64 } from "../../base64.ts";
import { command } from "../../command.ts";
import type { Context } from "../../context.ts";
import { parseDuration } from "../../duration.ts";
import { CommandError, usageError } from "../../failure.ts";
import { place, placeFlags } from "./place.ts";
import { storeClient } from "./transfer.ts";

export const commit = command({
  summary: "Make the changes in a file, or on standard input, all at once or not at all",
  args: "[file]",
  plainErrors: true,
  examples: [
    "store commit changes.ndjson",
    `store commit <<< '{"key": "lock", "value": "me", "expiry": "30s", "if_revision": 0}'`,
    `store commit <<< '{"key": "lock", "delete": true}'`,
  ],
  flags: placeFlags,
  run: async (context, flags, [file]) => {
    const { out, session, signal } = context;
    const lines = (await contentOf(context, file)).split("\n");
    const changes = lines.flatMap((line, index) => (line.trim() === "" ? [] : [changeOf(line, index + 1)]));
    if (changes.length === 0)
      throw usageError("there is no change: write one a line, as micro store commit --help shows");
    const store = await storeClient(session);
    const { revision } = await store.commit({ ...(await place(flags, context)), changes }, { signal });
    const result = { changes: changes.length, revision: Number(revision) };
    await out.result(
      result,
      `${result.changes} change${result.changes === 1 ? "" : "s"} made, revision ${result.revision}\n`,
    );
  },
});

async function contentOf({ folder, stdin }: Context, file: string | undefined): Promise<string> {
  if (file === undefined || file === "-") {
    if (stdin.isTTY) throw usageError("micro store commit needs a file, or changes on standard input");
    return text(stdin);
  }
  const path = resolve(folder, file);
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new CommandError(1, `can't read ${path}: ${code === "ENOENT" ? "there is no such file" : message}`, 404);
  }
}

const names = ["key", "key_base64", "value", "value_base64", "expiry", "if_revision", "delete"];

/** Reads a line. A value that is a text stands as it is, any other as its JSON. */
function changeOf(line: string, number: number) {
  const wrong = (why: string) => usageError(`line ${number} is no change: ${why}`);
  const fields = fieldsOf(line);
  if (fields === undefined) throw wrong("it is no JSON object");
  const unknown = Object.keys(fields).find((name) => !names.includes(name));
  if (unknown !== undefined) throw wrong(`it has "${unknown}", which is none of ${names.join(", ")}`);
  const { expiry, if_revision: revision, delete: isDeleted = false } = fields;
  const [key, value] = [bytesOf(fields, "key", wrong), bytesOf(fields, "value", wrong)];
  if (key === undefined) throw wrong("it has no key");
  if (typeof isDeleted !== "boolean") throw wrong("delete has to be true or false");
  if ((value === undefined) !== isDeleted) throw wrong('it needs either a value or "delete": true');
  if (revision !== undefined && !(Number.isSafeInteger(revision) && Number(revision) >= 0))
    throw wrong("if_revision has to be a whole number, 0 or more");
  const ms = expiry === undefined ? 0 : parseDuration(String(expiry));
  if (ms === undefined) throw wrong("expiry has to be a duration such as 10s or 1h30m");
  const condition = revision !== undefined && { conditional: true, revision: BigInt(Number(revision)) };
  return {
    entry: { key, value: value ?? Buffer.alloc(0), ttlMs: BigInt(Math.ceil(ms)) },
    delete: isDeleted,
    ...condition,
  };
}

function fieldsOf(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

function bytesOf(
  fields: Readonly<Record<string, unknown>>,
  name: string,
  wrong: (why: string) => Error,
): Buffer | undefined {
  const [value, base64] = [fields[name], fields[`${name}_base64`]];
  if (base64 === undefined) {
    if (value === undefined) return undefined;
    return Buffer.from(typeof value === "string" ? value : JSON.stringify(value));
  }
  if (value !== undefined) throw wrong(`it has both ${name} and ${name}_base64`);
  const bytes = typeof base64 === "string" ? bytesOfBase64(base64) : undefined;
  if (bytes === undefined) throw wrong(`${name}_base64 has to be a text in base64`);
  return bytes;
}
