import { deepEqual, equal, ok } from "node:assert/strict";
import { changeConformance } from "./change-conformance.ts";
import { all, pause, record, type StoreHarness, type StoreTest, signal, table, text } from "./conformance-records.ts";
import type { StoreQuery } from "./driver.ts";
import { keyOfBytes } from "./keys.ts";

/** What every store driver promises: one test for each sentence of `driver.ts`. */
export function storeConformance(test: StoreTest, { open, expiryGrainMs = 1 }: StoreHarness): void {
  reading(test, open);
  listing(test, open);
  expiring(test, open, expiryGrainMs);
  changeConformance(test, open, expiryGrainMs);
  catalogue(test, open);
}

function reading(test: StoreTest, open: StoreHarness["open"]): void {
  test("reads what was written, metadata and binary values included", async () => {
    await using driver = await open();
    const value = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    await driver.write(table, record("a", "", { value, metadata: { owner: "jane", "": "empty name" } }), signal);
    const read = await driver.read(table, "a", signal);
    ok((read?.revision ?? 0) > 0);
    deepEqual(read && { ...read, value: [...read.value], revision: 1 }, {
      key: "a",
      revision: 1,
      value: [...value],
      metadata: { owner: "jane", "": "empty name" },
      expiresAt: undefined,
    });
  });

  test("reads a missing key as undefined", async () => {
    await using driver = await open();
    equal(await driver.read(table, "nobody", signal), undefined);
    await driver.write(table, record("a"), signal);
    equal(await driver.read(table, "nobody", signal), undefined);
  });

  test("keeps an empty value", async () => {
    await using driver = await open();
    await driver.write(table, record("a", ""), signal);
    equal((await driver.read(table, "a", signal))?.value.byteLength, 0);
  });

  test("replaces value, metadata and expiry", async () => {
    await using driver = await open();
    const first = { metadata: { a: "1" }, expiresAt: new Date(Date.now() + 60_000) };
    await driver.write(table, record("a", "one", first), signal);
    await driver.write(table, record("a", "two"), signal);
    const read = await driver.read(table, "a", signal);
    deepEqual([text(read), read?.metadata, read?.expiresAt], ["two", {}, undefined]);
    equal((await driver.keys(table, all, signal)).length, 1);
  });

  test("deletes a key, and a key that is not there without an error", async () => {
    await using driver = await open();
    await driver.write(table, record("a"), signal);
    await driver.delete(table, "a", signal);
    await driver.delete(table, "a", signal);
    equal(await driver.read(table, "a", signal), undefined);
  });

  test("keeps databases and tables apart", async () => {
    await using driver = await open();
    const others = [table, { ...table, table: "tags" }, { ...table, database: "umbrella" }];
    for (const [index, other] of others.entries()) await driver.write(other, record("a", String(index)), signal);
    for (const [index, other] of others.entries()) equal(text(await driver.read(other, "a", signal)), String(index));
  });

  test("sees every write once it has resolved, many at a time", async () => {
    await using driver = await open();
    const keys = Array.from({ length: 200 }, (_, index) => `k${index}`);
    await Promise.all(keys.map((key) => driver.write(table, record(key), signal)));
    const read = await Promise.all(keys.map((key) => driver.read(table, key, signal)));
    deepEqual(read.map(text), keys);
  });
}

function listing(test: StoreTest, open: StoreHarness["open"]): void {
  const keys = ["", "é", "/x", "a", "a/1", "a/2", "b", "b/1", "￿", "😀"].filter((key) => key !== "");
  const filled = async () => {
    const driver = await open();
    for (const key of keys) await driver.write(table, record(key), signal);
    return driver;
  };
  const bytewise = [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));

  test("orders by the bytes of the keys, both ways", async () => {
    await using driver = await filled();
    deepEqual(await driver.keys(table, all, signal), bytewise);
    deepEqual(await driver.keys(table, { ...all, order: "desc" }, signal), bytewise.toReversed());
  });

  test("counts what a list would hold", async () => {
    await using driver = await filled();
    equal(await driver.count(table, all, signal), keys.length);
    equal(await driver.count(table, { prefix: "a", suffix: "" }, signal), 3);
    equal(await driver.count(table, { prefix: "", suffix: "/1" }, signal), 2);
    equal(await driver.count({ database: "acme", table: "nothing" }, all, signal), 0);
  });

  test("keeps any bytes as a key, finds them by prefix and suffix, and orders them", async () => {
    await using driver = await open();
    const raw = [[0], [0, 255], [0x61], [0x61, 0x80], [0xc3], [0xc3, 0xa9], [0xff], [0xff, 0xff], [0xff, 0xff, 0x61]];
    const rawKeys = raw.map((bytes) => keyOfBytes(Uint8Array.from(bytes)));
    for (const key of rawKeys.toReversed()) await driver.write(table, record(key, "raw"), signal);
    deepEqual(await driver.keys(table, all, signal), rawKeys);
    for (const key of rawKeys) {
      const read = await driver.read(table, key, signal);
      deepEqual([read?.key, text(read)], [key, "raw"]);
    }
    const high = keyOfBytes(Uint8Array.from([0xff]));
    deepEqual(await driver.keys(table, { ...all, prefix: high }, signal), rawKeys.slice(6));
    deepEqual(await driver.keys(table, { ...all, prefix: rawKeys[4] ?? "" }, signal), rawKeys.slice(4, 6));
    const ends = await driver.list(table, { ...all, prefix: high, suffix: high }, signal);
    deepEqual(
      ends.map(({ key }) => key),
      rawKeys.slice(6, 8),
    );
    await driver.delete(table, high, signal);
    equal(await driver.count(table, { prefix: high, suffix: "" }, signal), 2);
  });

  const queries: readonly Partial<StoreQuery>[] = [
    { prefix: "a" },
    { prefix: "a/" },
    { suffix: "/1" },
    { prefix: "a", suffix: "1" },
    { prefix: "a", suffix: "a" },
    { prefix: "😀" },
    { prefix: "nothing" },
    { limit: 2 },
    { limit: 2, offset: 1 },
    { limit: 2, offset: 1, order: "desc" },
    { offset: 100 },
    { prefix: "b", limit: 1, order: "desc" },
  ];
  for (const query of queries) {
    test(`lists records and keys by ${JSON.stringify(query)}`, async () => {
      await using driver = await filled();
      const expected = expectedKeys(bytewise, { ...all, ...query });
      deepEqual(await driver.keys(table, { ...all, ...query }, signal), expected);
      const records = await driver.list(table, { ...all, ...query }, signal);
      deepEqual(
        records.map(({ key }) => key),
        expected,
      );
      deepEqual(records.map(text), expected);
    });
  }
}

function expectedKeys(keys: readonly string[], { prefix, suffix, limit, offset, order }: StoreQuery): string[] {
  const matches = keys.filter((key) => key.startsWith(prefix) && key.endsWith(suffix));
  const ordered = order === "desc" ? matches.toReversed() : matches;
  return ordered.slice(offset, limit === 0 ? undefined : offset + limit);
}

function expiring(test: StoreTest, open: StoreHarness["open"], grainMs: number): void {
  test("never shows what has expired, and shows what hasn't with its time", async () => {
    await using driver = await open();
    const soon = new Date(Date.now() + grainMs);
    const later = new Date(Date.now() + 60_000);
    await driver.write(table, record("soon", "", { expiresAt: soon }), signal);
    // What is left of it is told, not when it is: a record lives longer by what its writing and reading took on their way.
    let onTheWayMs = -performance.now();
    await driver.write(table, record("later", "", { expiresAt: later }), signal);
    onTheWayMs += performance.now();
    await pause(2 * grainMs + 20);
    equal(await driver.read(table, "soon", signal), undefined);
    deepEqual(await driver.keys(table, all, signal), ["later"]);
    onTheWayMs -= performance.now();
    const [read] = await driver.list(table, all, signal);
    onTheWayMs += performance.now();
    const lateMs = (read?.expiresAt?.getTime() ?? 0) - later.getTime();
    const grainsMs = 2 * grainMs + 5;
    ok(lateMs >= -grainsMs && lateMs <= onTheWayMs + grainsMs, `expires ${lateMs} ms later, ${onTheWayMs} on the way`);
  });

  test("takes an expiry that has passed as gone already", async () => {
    await using driver = await open();
    await driver.write(table, record("a"), signal);
    await driver.write(table, record("a", "", { expiresAt: new Date(Date.now() - 1) }), signal);
    equal(await driver.read(table, "a", signal), undefined);
  });
}

function catalogue(test: StoreTest, open: StoreHarness["open"]): void {
  test("lists databases and tables that were written to, ascending; reads make none", async () => {
    await using driver = await open();
    await driver.read({ database: "read", table: "only" }, "a", signal);
    for (const [database, name] of [
      ["b", "2"],
      ["b", "1"],
      ["a", "1"],
    ] as const) {
      await driver.write({ database, table: name }, record("x"), signal);
    }
    deepEqual(await driver.databases(signal), ["a", "b"]);
    deepEqual(await driver.tables("b", signal), ["1", "2"]);
    deepEqual(await driver.tables("nothing", signal), []);
  });

  test("keeps a table in the catalogue when its records are gone", async () => {
    await using driver = await open();
    await driver.write(table, record("a"), signal);
    await driver.delete(table, "a", signal);
    deepEqual(await driver.tables(table.database, signal), [table.table]);
  });
}
