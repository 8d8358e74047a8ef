import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import type { ConfigDriver, Json, RotationProgress } from "./driver.ts";

type Test = (name: string, run: () => Promise<void>) => unknown;

export interface ConfigHarness {
  /** An empty driver of its own, with a key for secrets. */
  open(): Promise<ConfigDriver>;
}

const signal = new AbortController().signal;

/** Compares as JSON: prototypes don't matter, the order of keys does. */
async function reads(driver: ConfigDriver, path: string[], expected: Json | undefined, reveal = false): Promise<void> {
  equal(JSON.stringify(await driver.get("acme", path, reveal, signal)), JSON.stringify(expected));
}

function set(driver: ConfigDriver, path: string[], value: Json, secret = false): Promise<void> {
  return driver.set("acme", path, value, secret, signal);
}

/** What every config driver promises; one test for each sentence of `driver.ts`. */
export function configConformance(test: Test, harness: ConfigHarness): void {
  readTests(test, harness);
  writeTests(test, harness);
  secretTests(test, harness);
  watchTests(test, harness);
  rotationTests(test, harness);
}

function readTests(test: Test, { open }: ConfigHarness): void {
  test("reads the value at a path, all of it at the empty one, undefined where nothing is", async () => {
    await using driver = await open();
    await reads(driver, [], undefined);
    await reads(driver, ["a"], undefined);
    await set(driver, ["a", "b"], 1);
    await reads(driver, [], { a: { b: 1 } });
    await reads(driver, ["a"], { b: 1 });
    await reads(driver, ["a", "b"], 1);
    for (const path of [["b"], ["a", "b", "c"], ["a", "toString"], ["constructor"], ["__proto__"]]) {
      await reads(driver, path, undefined);
    }
  });

  test("keeps every kind of value as it is, a null too (CF-06)", async () => {
    await using driver = await open();
    const values: Json[] = [
      null,
      true,
      false,
      0,
      -1.5e-7,
      "",
      "ünïcödé\u0000\n",
      [],
      {},
      [1, [2, { a: null }], "x"],
      { a: {} },
    ];
    for (const [i, value] of values.entries()) await set(driver, ["values", String(i)], value);
    for (const [i, value] of values.entries()) await reads(driver, ["values", String(i)], value);
  });

  test("keeps namespaces apart", async () => {
    await using driver = await open();
    await set(driver, ["a"], 1);
    equal(await driver.get("acm", ["a"], false, signal), undefined);
    equal(await driver.get("micro", [], false, signal), undefined);
  });
}

function writeTests(test: Test, { open }: ConfigHarness): void {
  test("merges an object into an object leaf by leaf; anything else replaces", async () => {
    await using driver = await open();
    await set(driver, ["db"], { host: "a", ports: { read: 1, write: 2 } });
    await set(driver, ["db"], { host: "b", ports: { write: 3 } });
    await reads(driver, ["db"], { host: "b", ports: { read: 1, write: 3 } });
    await set(driver, ["db", "ports"], [1]);
    await reads(driver, ["db", "ports"], [1]);
    await set(driver, ["db", "ports"], { only: 1 });
    await reads(driver, ["db", "ports"], { only: 1 });
    await set(driver, ["db", "host", "name"], "x");
    await reads(driver, ["db"], { host: { name: "x" }, ports: { only: 1 } });
    await set(driver, ["db"], "gone");
    await reads(driver, [], { db: "gone" });
  });

  test("removes the value at a path and leaves its parents", async () => {
    await using driver = await open();
    await set(driver, ["a", "b"], { c: 1, d: 2 });
    await driver.delete("acme", ["a", "b", "c"], signal);
    await reads(driver, [], { a: { b: { d: 2 } } });
    await driver.delete("acme", ["a", "b", "d"], signal);
    await reads(driver, [], { a: { b: {} } });
    await driver.delete("acme", ["a"], signal);
    await reads(driver, [], {});
    await driver.delete("acme", [], signal);
    await reads(driver, [], undefined);
  });

  test("removes what isn't there without an error", async () => {
    await using driver = await open();
    await driver.delete("acme", [], signal);
    await driver.delete("acme", ["a", "b"], signal);
    await set(driver, ["a"], 1);
    await driver.delete("acme", ["a", "b"], signal);
    await driver.delete("acme", ["__proto__", "toString"], signal);
    await reads(driver, [], { a: 1 });
  });

  test("takes keys that mean something to JavaScript or have dots for plain keys (CF-06)", async () => {
    await using driver = await open();
    const odd = JSON.parse(
      '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":2}},"a.b":3,"o":{"v":1,"s":"x"}}',
    );
    await set(driver, ["__proto__", "polluted"], "yes");
    await set(driver, ["odd"], odd);
    await set(driver, ["with.dot", "and\\slash"], 4);
    equal(JSON.stringify(await driver.get("acme", ["odd"], false, signal)), JSON.stringify(odd));
    await reads(driver, ["__proto__", "polluted"], "yes");
    await reads(driver, ["odd", "a.b"], 3);
    await reads(driver, ["with.dot", "and\\slash"], 4);
    equal(Reflect.get({}, "polluted"), undefined);
  });

  test("keeps a document that nests 64 deep (CF-06)", async () => {
    await using driver = await open();
    let deep: Json = "bottom";
    for (let i = 1; i < 64; i++) deep = { k: deep };
    await set(driver, ["k"], deep);
    await reads(
      driver,
      Array.from({ length: 64 }, () => "k"),
      "bottom",
    );
  });

  test("loses none of 50 leaves that are set at once (CF-05)", async () => {
    await using driver = await open();
    await set(driver, ["doc"], { first: true });
    await Promise.all(Array.from({ length: 50 }, (_, i) => set(driver, ["doc"], { [`k${i}`]: i }, i % 2 === 0)));
    const doc = await driver.get("acme", ["doc"], true, signal);
    equal(Object.keys(doc ?? {}).length, 51);
    await reads(driver, ["doc", "k48"], 48, true);
  });

  test("refuses a document that grows too large, and keeps what was there", async () => {
    await using driver = await open();
    await set(driver, ["a"], "x".repeat(3 * 1024 * 1024));
    await rejects(set(driver, ["b"], "x".repeat(3 * 1024 * 1024)), { code: 413 });
    await reads(driver, ["b"], undefined);
    await set(driver, ["c"], 1);
  });
}

function secretTests(test: Test, { open }: ConfigHarness): void {
  test("shows secrets only when asked to", async () => {
    await using driver = await open();
    await set(driver, ["db"], { host: "a" });
    await set(driver, ["db"], { user: { name: "root", pin: 42 }, keys: ["k"] }, true);
    await reads(driver, ["db"], { host: "a", user: { name: "[secret]", pin: "[secret]" }, keys: "[secret]" });
    await reads(driver, ["db", "user", "pin"], "[secret]");
    await reads(driver, ["db"], { host: "a", user: { name: "root", pin: 42 }, keys: ["k"] }, true);
    await reads(driver, ["db", "user", "pin"], 42, true);
  });

  test("replaces secrets by values and values by secrets", async () => {
    await using driver = await open();
    await set(driver, ["a"], "open");
    await set(driver, ["a"], "hidden", true);
    await reads(driver, ["a"], "[secret]");
    await set(driver, ["a"], "open again");
    await reads(driver, ["a"], "open again");
    await set(driver, ["b"], null, true);
    await reads(driver, ["b"], "[secret]");
    await reads(driver, ["b"], null, true);
  });
}

function watchTests(test: Test, { open }: ConfigHarness): void {
  /** A watch of a path, and what it says next as JSON. */
  const watch = async (driver: ConfigDriver, path: string[], reveal = false, until = signal) => {
    const values = (await driver.watch("acme", path, reveal, until))[Symbol.asyncIterator]();
    return async () => {
      const { value, done } = await values.next();
      return done ? "the end" : JSON.stringify(value);
    };
  };

  test("shows a watcher the value as it is, then each that follows", async () => {
    await using driver = await open();
    const abort = new AbortController();
    await set(driver, ["db"], { host: "a" });
    const next = await watch(driver, ["db"], false, abort.signal);
    equal(await next(), '{"host":"a"}');
    await set(driver, ["db", "port"], 1);
    equal(await next(), '{"host":"a","port":1}');
    await driver.delete("acme", ["db", "host"], signal);
    equal(await next(), '{"port":1}');
    await set(driver, ["db"], [1]);
    equal(await next(), "[1]");
    abort.abort();
  });

  test("tells a watcher undefined for nothing and null for a null", async () => {
    await using driver = await open();
    const abort = new AbortController();
    const next = await watch(driver, ["a", "b"], false, abort.signal);
    equal(await next(), undefined);
    await set(driver, ["a", "b"], null);
    equal(await next(), "null");
    await driver.delete("acme", [], signal);
    equal(await next(), undefined);
    await set(driver, ["a"], { b: 1 });
    equal(await next(), "1");
    abort.abort();
  });

  test("says nothing to a watcher whose value stays the same, or lies elsewhere", async () => {
    await using driver = await open();
    const abort = new AbortController();
    await set(driver, ["a"], { b: 1 });
    const next = await watch(driver, ["a", "b"], false, abort.signal);
    equal(await next(), "1");
    await set(driver, ["a", "b"], 1);
    await set(driver, ["a", "c"], 2);
    await set(driver, ["ab"], 3);
    await driver.set("umbrella", ["a", "b"], 4, false, signal);
    await set(driver, ["a", "b"], 5);
    equal(await next(), "5");
    abort.abort();
  });

  test("brings a watcher who is slow the latest value, and none before an earlier one", async () => {
    await using driver = await open();
    const abort = new AbortController();
    await set(driver, ["n"], 0);
    const next = await watch(driver, ["n"], false, abort.signal);
    for (let n = 1; n <= 100; n++) await set(driver, ["n"], n);
    for (let last = -1; last < 100; ) {
      const value = Number(await next());
      ok(value > last, `${value} came after ${last}`);
      last = value;
    }
    abort.abort();
  });

  test("shows secrets to a watcher only when it asks for them", async () => {
    await using driver = await open();
    const abort = new AbortController();
    await set(driver, ["pw"], "one", true);
    const masked = await watch(driver, ["pw"], false, abort.signal);
    const clear = await watch(driver, ["pw"], true, abort.signal);
    equal(await masked(), '"[secret]"');
    equal(await clear(), '"one"');
    await set(driver, ["pw"], "two", true);
    equal(await clear(), '"two"');
    await set(driver, ["pw"], "three");
    equal(await masked(), '"three"');
    equal(await clear(), '"three"');
    abort.abort();
  });

  test("ends a watch without an error when the signal aborts", async () => {
    await using driver = await open();
    const abort = new AbortController();
    const next = await watch(driver, ["a"], false, abort.signal);
    equal(await next(), undefined);
    const ending = next();
    abort.abort();
    equal(await ending, "the end");
  });
}

function rotationTests(test: Test, { open }: ConfigHarness): void {
  const rotate = async (driver: ConfigDriver) => {
    let last: RotationProgress | undefined;
    for await (const step of await driver.rotate(signal)) last = step;
    return { ...last, sealed: [...(last?.sealed ?? [])] };
  };

  test("rotates the keys of all namespaces, says when it is done, and every secret reads as before (CF-04)", async () => {
    await using driver = await open();
    for (let n = 0; n < 20; n++) await set(driver, ["many", `k${n}`], { n, text: `secret ${n}` }, true);
    await driver.set("umbrella", ["pw"], "theirs", true, signal);
    await driver.set("plain", ["pw"], "no secret", false, signal);
    const partly = ({ done, total, secrets, sealed }: Partial<RotationProgress>) => ({ done, total, secrets, sealed });
    deepEqual(partly(await rotate(driver)), { done: 2, total: 2, secrets: 41, sealed: [] });
    for (let n = 0; n < 20; n++) await reads(driver, ["many", `k${n}`], { n, text: `secret ${n}` }, true);
    equal(await driver.get("umbrella", ["pw"], true, signal), "theirs");
    await set(driver, ["later"], "x", true);
    equal((await rotate(driver)).secrets, 42);
    await reads(driver, ["later"], "x", true);
  });

  test("rotates while secrets are read and set, without one that fails or is lost (CF-04)", async () => {
    await using driver = await open();
    await set(driver, ["pw"], 0, true);
    let isDone = false;
    const writing = (async () => {
      let n = 0;
      while (!isDone) await set(driver, ["new", `k${n}`], n++, true);
      return n;
    })();
    const reading = (async () => {
      while (!isDone) await reads(driver, ["pw"], 0, true);
    })();
    for (let round = 0; round < 5; round++) await rotate(driver);
    isDone = true;
    await reading;
    const count = await writing;
    const values = await driver.get("acme", ["new"], true, signal);
    equal(JSON.stringify(Object.values(values ?? {})), JSON.stringify(Array.from({ length: count }, (_, n) => n)));
  });
}
