import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { all, pause, record, type StoreHarness, type StoreTest, signal, table, text } from "./conformance-records.ts";
import type { StoreChange, StoreDriver, StoreWatch } from "./driver.ts";
import { keyOfBytes } from "./keys.ts";

/** What a driver promises of revisions, commits, watches and snapshots. */
export function changeConformance(test: StoreTest, open: StoreHarness["open"], expiryGrainMs: number): void {
  revisions(test, open, expiryGrainMs);
  committing(test, open);
  watching(test, open);
  snapshots(test, open);
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

function snapshots(test: StoreTest, open: StoreHarness["open"]): void {
  test("takes a snapshot of any number of records as they are at one moment, while others write", async () => {
    await using driver = await open();
    const put = (key: string, value: string): StoreChange => ({
      key,
      record: record(key, value),
      ifRevision: undefined,
    });
    const keys = Array.from({ length: 2_000 }, (_, index) => `k${String(index).padStart(4, "0")}`);
    for (let at = 0; at < keys.length; at += 500)
      await driver.commit(
        table,
        keys.slice(at, at + 500).map((key) => put(key, "x".repeat(500))),
        signal,
      );
    const high = keyOfBytes(Uint8Array.from([0xff]));
    await driver.write(table, record(high, "raw", { metadata: { of: "high" } }), signal);
    const found: string[] = [];
    for await (const records of driver.snapshot(table, signal)) {
      for (const each of records) found.push(`${each.key}=${text(each)?.slice(0, 3)}`);
      // What is seen first is changed, and what comes last too.
      await driver.commit(table, [put("k0000", "new"), put("k1999", "new"), put("z", "new")], signal);
    }
    deepEqual(found, [...keys.map((key) => `${key}=xxx`), `${high}=raw`]);
    deepEqual(await Array.fromAsync(driver.snapshot({ ...table, table: "nothing" }, signal)), []);
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
        revision = event.revision;
        if (event.key === undefined) continue;
        equal(event.record?.revision ?? revision, revision);
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
