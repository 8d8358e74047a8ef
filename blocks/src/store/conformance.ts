import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import type { StoreChange, StoreDriver, StoreQuery, StoreRecord, StoreWatch } from "./driver.ts";
import { keyOfBytes } from "./keys.ts";

/** Registers one test; `it` of any runner fits. */
export type StoreTest = (name: string, run: () => Promise<void>) => unknown;

export interface StoreHarness {
  /** An empty store. */
  open(): Promise<StoreDriver>;
  /** How exactly expiry is kept. Default 1 ms. */
  readonly expiryGrainMs?: number;
}

const signal = new AbortController().signal;
const table = { database: "acme", table: "posts" };
const all: StoreQuery = { prefix: "", suffix: "", limit: 0, offset: 0, order: "asc" };

function record(key: string, value = key, extra: Partial<StoreRecord> = {}): StoreRecord {
  return { key, value: new TextEncoder().encode(value), metadata: {}, expiresAt: undefined, ...extra };
}

/** What every store driver promises: one test for each sentence of `driver.ts`. */
export function storeConformance(test: StoreTest, { open, expiryGrainMs = 1 }: StoreHarness): void {
  reading(test, open);
  listing(test, open);
  expiring(test, open, expiryGrainMs);
  revisions(test, open, expiryGrainMs);
  committing(test, open);
  watching(test, open);
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
    await driver.write(table, record("later", "", { expiresAt: later }), signal);
    await pause(2 * grainMs + 20);
    equal(await driver.read(table, "soon", signal), undefined);
    deepEqual(await driver.keys(table, all, signal), ["later"]);
    const [read] = await driver.list(table, all, signal);
    ok(
      Math.abs((read?.expiresAt?.getTime() ?? 0) - later.getTime()) <= 2 * grainMs + 5,
      `expires at ${read?.expiresAt?.toISOString()}`,
    );
  });

  test("takes an expiry that has passed as gone already", async () => {
    await using driver = await open();
    await driver.write(table, record("a"), signal);
    await driver.write(table, record("a", "", { expiresAt: new Date(Date.now() - 1) }), signal);
    equal(await driver.read(table, "a", signal), undefined);
  });
}

function revisions(test: StoreTest, open: StoreHarness["open"], grainMs: number): void {
  test("gives every change a higher revision than all before, in any table", async () => {
    await using driver = await open();
    const other = { database: "umbrella", table: "posts" };
    const written: number[] = [];
    for (const where of [table, other, table, table]) written.push(await driver.write(where, record("a"), signal));
    for (const [index, revision] of written.slice(1).entries()) ok(revision > (written[index] ?? 0), String(written));
    equal((await driver.read(table, "a", signal))?.revision, written.at(-1));
    equal((await driver.list(other, all, signal))[0]?.revision, written[1]);
    await driver.delete(table, "a", signal);
    ok((await driver.write(table, record("a"), signal)) > (written.at(-1) ?? 0));
  });

  test("writes and deletes by revision, and does nothing when it is another one", async () => {
    await using driver = await open();
    const put = (value: string, ifRevision: number) =>
      driver.commit(table, [{ key: "a", record: record("a", value), ifRevision }], signal);
    equal(await put("none", 7), undefined);
    deepEqual(await driver.databases(signal).then((names) => names.length <= 1), true);
    const first = (await put("1", 0)) ?? 0;
    equal(await put("again", 0), undefined);
    const second = (await put("2", first)) ?? 0;
    ok(second > first);
    equal(await put("late", first), undefined);
    equal(text(await driver.read(table, "a", signal)), "2");
    const remove = (ifRevision: number) => driver.commit(table, [{ key: "a", record: undefined, ifRevision }], signal);
    equal(await remove(first), undefined);
    ok(((await remove(second)) ?? 0) > second);
    equal(await driver.read(table, "a", signal), undefined);
    ok(((await put("3", 0)) ?? 0) > second);
  });

  test("lets exactly one of many that write at the same revision win", async () => {
    await using driver = await open();
    let revision = await driver.write(table, record("a"), signal);
    for (let round = 0; round < 5; round++) {
      const attempts = Array.from({ length: 20 }, (_, index) =>
        driver.commit(table, [{ key: "a", record: record("a", String(index)), ifRevision: revision }], signal),
      );
      const won = (await Promise.all(attempts)).filter((each) => each !== undefined);
      equal(won.length, 1);
      revision = won[0] ?? 0;
    }
  });

  test("takes an expired record for none", async () => {
    await using driver = await open();
    const revision = await driver.write(table, record("a", "", { expiresAt: new Date(Date.now() + grainMs) }), signal);
    await pause(2 * grainMs + 20);
    equal(await driver.commit(table, [{ key: "a", record: record("a"), ifRevision: revision }], signal), undefined);
    ok(await driver.commit(table, [{ key: "a", record: record("a"), ifRevision: 0 }], signal));
  });
}

function committing(test: StoreTest, open: StoreHarness["open"]): void {
  const put = (key: string, value = key): StoreChange => ({ key, record: record(key, value), ifRevision: undefined });
  const remove = (key: string): StoreChange => ({ key, record: undefined, ifRevision: undefined });
  const contents = async (driver: StoreDriver) =>
    (await driver.list(table, all, signal)).map((each) => `${each.key}=${text(each)}`).join(" ");

  test("makes all changes of a commit, whatever their number", async () => {
    await using driver = await open();
    const revision = await driver.commit(
      table,
      [put("a", "1"), put("b", "2"), remove("nobody"), put("c", "3")],
      signal,
    );
    equal((await driver.read(table, "c", signal))?.revision, revision);
    await driver.commit(table, [remove("a"), put("b", "4")], signal);
    equal(await contents(driver), "b=4 c=3");
    equal(await driver.commit(table, [], signal), 0);
    await driver.commit(
      table,
      Array.from({ length: 1_000 }, (_, index) => put(`k${index}`)),
      signal,
    );
    equal(await driver.count(table, { prefix: "k", suffix: "" }, signal), 1_000);
  });

  test("makes none when one can't be made, and every other commit is as if it had not been there", async () => {
    await using driver = await open();
    await driver.write(table, record("a", "1"), signal);
    const results = await Promise.all([
      driver.commit(table, [put("b"), { ...put("a", "2"), ifRevision: 0 }, put("c")], signal),
      driver.commit(table, [put("d"), { ...put("x"), ifRevision: 0 }], signal),
    ]);
    deepEqual(
      results.map((each) => each !== undefined),
      [false, true],
    );
    equal(await contents(driver), "a=1 d=d x=x");
  });

  test("is seen whole or not at all", async () => {
    await using driver = await open();
    let isDone = false;
    const write = async () => {
      for (let round = 0; round < 50; round++) {
        const changes = ["a", "b", "c"].map((key) => put(key, String(round)));
        await driver.commit(table, changes, signal);
      }
      isDone = true;
    };
    const read = async () => {
      while (!isDone) {
        const values = new Set((await driver.list(table, all, signal)).map(text));
        ok(values.size <= 1, [...values].join());
      }
    };
    await Promise.all([write(), read()]);
  });
}

function watching(test: StoreTest, open: StoreHarness["open"]): void {
  /** So many events, each as `key=value` or `-key`. */
  const take = async (watch: StoreWatch, count: number) => {
    const seen: string[] = [];
    let revision = 0;
    if (count > 0) {
      for await (const event of watch) {
        ok(event.revision > revision, "revisions go up");
        equal(event.record?.revision ?? event.revision, event.revision);
        revision = event.revision;
        seen.push(event.record === undefined ? `-${event.key}` : `${event.key}=${text(event.record)}`);
        if (seen.length === count) break;
      }
    }
    return { seen: seen.join(" "), revision };
  };

  test("tells a watcher every change of a table in order, and none of others", async () => {
    await using driver = await open();
    await driver.write(table, record("before"), signal);
    const watch = await driver.watch(table, "", undefined, signal);
    await driver.write(table, record("a", "1"), signal);
    await driver.write({ ...table, table: "other" }, record("a", "2"), signal);
    await driver.write(table, record("a", "3"), signal);
    await driver.commit(
      table,
      [
        { key: "b", record: record("b", "4"), ifRevision: undefined },
        { key: "a", record: undefined, ifRevision: undefined },
        { key: "nobody", record: undefined, ifRevision: undefined },
      ],
      signal,
    );
    await driver.delete(table, "before", signal);
    await driver.write(table, record("a", "5"), signal);
    equal((await take(watch, 6)).seen, "a=1 a=3 b=4 -a -before a=5");
  });

  test("tells a watcher of a prefix what begins with it", async () => {
    await using driver = await open();
    const high = keyOfBytes(Uint8Array.from([0xff]));
    const watches = await Promise.all(["u/", high].map((prefix) => driver.watch(table, prefix, undefined, signal)));
    for (const key of ["u", "u/1", "u0", "v", `${high}x`, "u/2"]) await driver.write(table, record(key, ""), signal);
    const [first, second] = watches;
    if (first === undefined || second === undefined) throw new Error("there are two");
    equal((await take(first, 2)).seen, "u/1= u/2=");
    equal((await take(second, 1)).seen, `${high}x=`);
  });

  test("goes on after a revision, wherever it was left", async () => {
    await using driver = await open();
    const begun = await driver.watch(table, "", undefined, signal);
    for (let index = 0; index < 30; index++) await driver.write(table, record("a", String(index)), signal);
    let after = begun.revision;
    for (let at = 0; at < 30; at += 10) {
      const { seen, revision } = await take(await driver.watch(table, "", after, signal), 10);
      equal(seen, Array.from({ length: 10 }, (_, index) => `a=${at + index}`).join(" "));
      after = revision;
    }
    const watch = await driver.watch(table, "", after, signal);
    await driver.write(table, record("a", "new"), signal);
    equal((await take(watch, 1)).seen, "a=new");
  });

  test("misses nothing of what is written while watches begin", async () => {
    await using driver = await open();
    let written = 0;
    let isOver = false;
    const write = async () => {
      while (!isOver) await driver.write(table, record("a", String(++written)), signal);
    };
    const writing = write();
    for (let round = 0; round < 10; round++) {
      const watch = await driver.watch(table, "", undefined, signal);
      const { seen } = await take(watch, 5);
      const numbers = seen.split(" ").map((event) => Number(event.slice(2)));
      const first = numbers[0] ?? 0;
      deepEqual(numbers, [first, first + 1, first + 2, first + 3, first + 4]);
    }
    isOver = true;
    await writing;
  });

  test("ends a watch when its signal aborts, and refuses a revision that isn't there", async () => {
    await using driver = await open();
    const abort = new AbortController();
    const watch = await driver.watch(table, "", undefined, abort.signal);
    const taken = take(watch, 1);
    abort.abort();
    equal((await taken).seen, "");
    const { revision } = await driver.watch(table, "", undefined, AbortSignal.timeout(1_000));
    await rejects(driver.watch(table, "", revision + 1, signal), { code: 412 });
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

function text(read: StoreRecord | undefined): string | undefined {
  return read && new TextDecoder().decode(read.value);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
