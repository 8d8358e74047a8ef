import type { BlobStatResponse } from "@microts/proto/store";
import { command, group } from "../../command.ts";
import { spaceTable } from "../../table.ts";
import { type BlobClient, blobClient } from "./blob-client.ts";
import { readBlob } from "./blob-read.ts";
import { writeBlob } from "./blob-write.ts";

const plainErrors = true;

/** So many blobs are asked about at once. */
const statsAtOnce = 16;

const list = command({
  summary: "List keys of blobs",
  args: "[prefix]",
  plainErrors,
  examples: ["store blob list", "store blob list avatars/ --verbose"],
  flags: { verbose: { kind: "bool", short: "v", help: "show size, content type and time of each too" } },
  run: async ({ out, session, signal }, { verbose }, [prefix = ""]) => {
    const client = await blobClient(session);
    const namespace = await session.namespace();
    const { keys } = await client.list({ options: { namespace, prefix } }, { signal });
    if (!verbose) return out.result(keys, keys.map((key) => `${key}\n`).join(""));
    const stats = await statsOf(client, namespace, keys, signal);
    const rows = stats.map(([key, stat]) => [key, ...Object.values(fieldsOf(stat)).slice(0, -1).map(String)]);
    const json = stats.map(([key, stat]) => ({ key, ...fieldsOf(stat) }));
    await out.result(json, spaceTable([["KEY", "SIZE", "TYPE", "PUBLIC", "WRITTEN"], ...rows]));
  },
});

const stat = command({
  summary: "Show size, content type and checksum of a blob",
  args: "<key>",
  plainErrors,
  examples: ["store blob stat avatars/jane"],
  run: async ({ out, session, signal }, _flags, [key = ""]) => {
    const client = await blobClient(session);
    const fields = fieldsOf(await client.stat({ key, options: { namespace: await session.namespace() } }, { signal }));
    const rows = Object.entries(fields).map(([name, value]) => [name, String(value)]);
    await out.result({ key, ...fields }, spaceTable([["key", key], ...rows]));
  },
});

const remove = command({
  summary: "Delete a blob",
  args: "<key>",
  plainErrors,
  run: async ({ session, signal }, _flags, [key = ""]) => {
    const client = await blobClient(session);
    await client.delete({ key, options: { namespace: await session.namespace() } }, { signal });
  },
});

export const blob = group("Read and write blobs: files and other large things", {
  read: readBlob,
  write: writeBlob,
  list,
  stat,
  delete: remove,
});

/** Without those that are gone meanwhile. */
async function statsOf(
  client: BlobClient,
  namespace: string,
  keys: readonly string[],
  signal: AbortSignal,
): Promise<[string, BlobStatResponse][]> {
  const found: [string, BlobStatResponse][] = [];
  for (let at = 0; at < keys.length; at += statsAtOnce) {
    const asked = keys.slice(at, at + statsAtOnce).map(async (key): Promise<[string, BlobStatResponse][]> => {
      try {
        return [[key, await client.stat({ key, options: { namespace } }, { signal })]];
      } catch (error) {
        if ((error as { code?: unknown }).code === 404) return [];
        throw error;
      }
    });
    found.push(...(await Promise.all(asked)).flat());
  }
  return found;
}

function fieldsOf({ size, contentType, public: isPublic, writtenMs, sha256 }: BlobStatResponse) {
  const written = new Date(Number(writtenMs)).toISOString();
  return { size: Number(size), content_type: contentType, public: isPublic, written, sha256 };
}
