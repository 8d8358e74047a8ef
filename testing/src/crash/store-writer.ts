/**
 * A process that writes to a store, and blobs, until it is killed or nothing is written any more. It notes in a file what it found, began and had acknowledged, and says on standard
 * output that something was acknowledged. Arguments: data directory, file of the history, seed.
 */
import { openSync, writeSync } from "node:fs";
import { keyOfBytes, type StoreChange, type StoredRecord, wholeBlob } from "@microts/blocks/store";
import { MicroError } from "@microts/core";
import { openEmbeddedBlobs } from "../../../drivers/embedded/src/blobs.ts";
import { openEmbeddedStore } from "../../../drivers/embedded/src/store.ts";
import { Random } from "./random.ts";
import type { StoreNote } from "./store-history.ts";

const [dataDir = "", historyFile = "", seed = "0"] = process.argv.slice(2);
const table = { database: "acme", table: "crash" };
const all = { prefix: "", suffix: "", limit: 0, offset: 0, order: "asc" } as const;
const signal = new AbortController().signal;
const writers = 12;
const keysOfWriter = 5;

/** So often in a row a writer is refused for a full disk before it gives up; for a disk that fails it does at once. */
const patience = 5;

const history = openSync(historyFile, "a");
const store = await openEmbeddedStore({ dataDir });
const blobs = await openEmbeddedBlobs(store.database);
note({ kind: "found", records: [...(await store.list(table, all, signal)).map(brief), ...(await blobsFound())] });
await Promise.all([...Array.from({ length: writers }, (_, index) => write(index)), writeBlobs()]);
process.exit(3);

/** Changes its own keys, one change after the other. */
async function write(writer: number): Promise<void> {
  const random = new Random(Number(seed) * writers + writer);
  const keys = Array.from({ length: keysOfWriter }, (_, index) => keyOfBytes(Uint8Array.of(writer, 255 - index)));
  for (let turn = 0, refused = 0; refused < patience; turn++) {
    const changes = random.some(keys, 3).map((key): StoreChange => {
      const isDelete = random.below(5) === 0;
      const value = Buffer.from(`${seed}.${writer}.${turn}.`.padEnd(random.below(600), "x"));
      return {
        key,
        record: isDelete ? undefined : { key, value, metadata: {}, expiresAt: undefined },
        ifRevision: undefined,
      };
    });
    const id = `${seed}.${writer}.${turn}`;
    const values = changes.map(
      ({ key, record }) => [key, record === undefined ? null : Buffer.from(record.value).toString()] as const,
    );
    const code = await noting(id, values, async () => (await store.commit(table, changes, signal)) ?? -1);
    if (code !== 0 && code !== 507) return;
    refused = code === 0 ? 0 : refused + 1;
  }
}

async function writeBlobs(): Promise<void> {
  const random = new Random(Number(seed));
  for (let turn = 0, refused = 0; refused < patience; turn++) {
    const key = `${random.below(4)}`;
    const id = `${seed}.blob.${turn}`;
    const value = `${id}.`.padEnd(random.below(100_000), "x");
    const code = await noting(id, [[`blob ${key}`, value]], async () => {
      await blobs.write("acme", key, { contentType: "", public: false }, once(Buffer.from(value)), signal);
      return 0;
    });
    if (code !== 0 && code !== 507) return;
    refused = code === 0 ? 0 : refused + 1;
  }
}

async function* once(chunk: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield chunk;
}

async function blobsFound(): Promise<(readonly [string, string, number])[]> {
  const keys = await blobs.list("acme", "", signal);
  return Promise.all(
    keys.map(async (key, index) => {
      const chunks = (await blobs.read("acme", key, wholeBlob, signal)) ?? [];
      // Blobs have no revisions: these are only not those of records.
      return [
        `blob ${key}`,
        Buffer.concat(await Array.fromAsync(chunks)).toString(),
        Number.MAX_SAFE_INTEGER - index,
      ] as const;
    }),
  );
}

/** Does it, noting how it went; the code of what refused it, or 0. */
async function noting(
  id: string,
  values: readonly (readonly [string, string | null])[],
  change: () => Promise<number>,
): Promise<number> {
  note({ kind: "began", id, values });
  try {
    note({ kind: "done", id, revision: await change() });
    process.stdout.write(".");
    return 0;
  } catch (error) {
    const { code, detail } = MicroError.from(error, "crash");
    note({ kind: "refused", id, code, detail });
    return code;
  }
}

function brief({ key, value, revision }: StoredRecord): readonly [string, string, number] {
  return [key, Buffer.from(value).toString(), revision];
}

function note(line: StoreNote): void {
  writeSync(history, `${JSON.stringify(line)}\n`);
}
