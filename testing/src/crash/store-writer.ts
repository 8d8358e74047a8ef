/**
 * A process that writes to a store until it is killed. It notes in a file what it found, began and had acknowledged, and says on standard
 * output that something was acknowledged. Arguments: data directory, file of the history, seed.
 */
import { openSync, writeSync } from "node:fs";
import { keyOfBytes, type StoreChange, type StoredRecord } from "@microts/blocks/store";
import { openEmbeddedStore } from "../../../drivers/embedded/src/store.ts";
import { Random } from "./random.ts";
import type { StoreNote } from "./store-history.ts";

const [dataDir = "", historyFile = "", seed = "0"] = process.argv.slice(2);
const table = { database: "acme", table: "crash" };
const all = { prefix: "", suffix: "", limit: 0, offset: 0, order: "asc" } as const;
const signal = new AbortController().signal;
const writers = 12;
const keysOfWriter = 5;

const history = openSync(historyFile, "a");
const store = await openEmbeddedStore({ dataDir });
note({ kind: "found", records: (await store.list(table, all, signal)).map(brief) });
await Promise.all(Array.from({ length: writers }, (_, index) => write(index)));

/** Changes its own keys, one change after the other. */
async function write(writer: number): Promise<void> {
  const random = new Random(Number(seed) * writers + writer);
  const keys = Array.from({ length: keysOfWriter }, (_, index) => keyOfBytes(Uint8Array.of(writer, 255 - index)));
  for (let turn = 0; ; turn++) {
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
    note({ kind: "began", id, values });
    const revision = await store.commit(table, changes, signal);
    note({ kind: "done", id, revision: revision ?? -1 });
    process.stdout.write(".");
  }
}

function brief({ key, value, revision }: StoredRecord): readonly [string, string, number] {
  return [key, Buffer.from(value).toString(), revision];
}

function note(line: StoreNote): void {
  writeSync(history, `${JSON.stringify(line)}\n`);
}
