import { deepEqual, equal, rejects } from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { openEmbeddedStore } from "./index.ts";
import type { SqlValue } from "./sqlite/index.ts";
import type { EmbeddedStore } from "./store.ts";
import { StoreReads } from "./store-reads.ts";

let tables = 0;
const signal = new AbortController().signal;

interface Written {
  readonly value: Uint8Array;
  readonly metadata: Record<string, string>;
}

/** A new table with these records, and all of some keys read at once past the cache of the store. */
async function filled(store: EmbeddedStore, records: ReadonlyMap<string, Written>) {
  const table = { database: "micro", table: `table ${++tables}` };
  const write = (key: string, record: Written) => store.write(table, { key, ...record, expiresAt: undefined }, signal);
  await Promise.all([...records].map(([key, record]) => write(key, record)));
  const rows = await store.database.read("SELECT max(id) FROM tables", [], signal);
  const id = Number(rows[0]?.[0]);
  const reads = new StoreReads(store.database, Date.now);
  const read = (keys: readonly string[]) => Promise.allSettled(keys.map((key) => reads.read(id, key, signal)));
  const spoil = (key: string, column: string, value: SqlValue) => {
    const sql = `UPDATE versions SET ${column} = ? WHERE table_id = ? AND key = CAST(? AS BLOB)`;
    return store.database.write([{ sql, params: [value, id, key] }], signal);
  };
  return { read, spoil };
}

describe("reads of several records", () => {
  it("give each key what was written under it, whatever its bytes, and nothing where there is nothing", async () => {
    const key = fc.oneof(fc.string({ unit: "binary", minLength: 1 }), fc.string({ unit: "grapheme", minLength: 1 }));
    const size = fc.oneof(fc.constant(0), fc.nat(300), fc.integer({ min: 32_700, max: 32_900 }));
    const value = size.chain((length) => fc.uint8Array({ minLength: length, maxLength: length }));
    const written = fc.record({ value, metadata: fc.dictionary(fc.string(), fc.string({ unit: "binary" })) });
    const records = fc.array(fc.tuple(key, written), { minLength: 1, maxLength: 12 }).map((all) => new Map(all));
    await using store = await openEmbeddedStore();
    await fc.assert(
      fc.asyncProperty(records, fc.array(key, { maxLength: 3 }), async (all, others) => {
        const { read } = await filled(store, all);
        const keys = [...all.keys(), ...others, ...all.keys()];
        for (const [at, result] of (await read(keys)).entries()) {
          const expected = all.get(keys[at] as string);
          const found = result.status === "fulfilled" ? result.value : result;
          const seen = found && "value" in found ? { value: Buffer.from(found.value), json: found.metadata } : found;
          const json = JSON.stringify(expected?.metadata);
          deepEqual(seen, expected && { value: Buffer.from(expected.value), json: json === "{}" ? null : json });
        }
      }),
      { numRuns: 30 },
    );
  });

  it("say of a record that was altered on the disk that it was, and give all others (ST-06)", async () => {
    const spoils: [string, SqlValue][] = [
      ["value", Buffer.from("other")],
      ["value", "text of more than one byte: é"],
      ["value", null],
      ["value", Buffer.alloc(100_000)],
      ["metadata", Buffer.from([0xff, 0])],
      ["metadata", "}"],
      ["metadata", "\u0000"],
      ["checksum", 7],
      ["checksum", "7"],
      ["expires_at", 9e15],
    ];
    await using store = await openEmbeddedStore();
    const keys = Array.from({ length: 5 }, (_, i) => `key ${i}`);
    for (const [column, bad] of spoils) {
      const value = Buffer.from("a value");
      const { read, spoil } = await filled(store, new Map(keys.map((key) => [key, { value, metadata: { a: "b" } }])));
      await spoil("key 2", column, bad);
      for (const [at, result] of (await read(keys)).entries()) {
        if (at === 2)
          await rejects(
            result.status === "rejected" ? Promise.reject(result.reason) : Promise.resolve(),
            /damaged/,
            `${column} ${bad}`,
          );
        else deepEqual(result.status === "fulfilled" && Buffer.from(result.value?.value ?? []), value);
      }
    }
  });

  it("leave out what has expired, and who has given up", async () => {
    await using store = await openEmbeddedStore();
    const table = { database: "micro", table: "micro" };
    const value = Buffer.from("v");
    const soon = new Date(Date.now() + 30);
    await store.write(table, { key: "a", value, metadata: {}, expiresAt: soon }, signal);
    await store.write(table, { key: "b", value, metadata: {}, expiresAt: undefined }, signal);
    while (Date.now() <= soon.getTime()) await new Promise((resolve) => setTimeout(resolve, 5));
    const reads = ["a", "b", "c"].map((key) => store.read(table, key, signal));
    const leaving = new AbortController();
    const left = store.read(table, "b", leaving.signal);
    leaving.abort(new Error("left"));
    await rejects(left, /left/);
    deepEqual(
      (await Promise.all(reads)).map((record) => record?.key),
      [undefined, "b", undefined],
    );
  });

  it("are as many as are asked for at once", async () => {
    const keys = Array.from({ length: 1000 }, (_, i) => `key ${i}`);
    await using store = await openEmbeddedStore();
    const { read } = await filled(store, new Map(keys.map((key) => [key, { value: Buffer.from(key), metadata: {} }])));
    for (const [at, result] of (await read(keys)).entries())
      equal(result.status === "fulfilled" && Buffer.from(result.value?.value ?? []).toString(), keys[at]);
  });
});
