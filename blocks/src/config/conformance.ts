import { equal, match, rejects } from "node:assert/strict";
import type { MicroError } from "@microts/core";
import { rotationTests, watchTests } from "./conformance-live.ts";
import type { ConfigDriver, Json } from "./driver.ts";
import { maxDocumentBytes } from "./json.ts";

type Test = (name: string, run: () => Promise<void>) => unknown;

export interface ConfigHarness {
  /** An empty driver of its own, with a key for secrets. */
  open(): Promise<ConfigDriver>;
  /** The same without a key for secrets. */
  openSealed(): Promise<ConfigDriver>;
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
  watchTests(test, harness.open);
  rotationTests(test, harness.open);
  sealTests(test, harness);
}

function sealTests(test: Test, { open, openSealed }: ConfigHarness): void {
  test("isn't sealed with a key, and says so (CF-02)", async () => {
    await using driver = await open();
    equal(await driver.sealed("acme", signal), undefined);
    await set(driver, ["pw"], "hunter2", true);
    equal(await driver.sealed("acme", signal), undefined);
  });

  test("is sealed without a key: every use of a secret is a 412 with what mends it, and nothing else is hurt (CF-02)", async () => {
    await using driver = await openSealed();
    const reason = await driver.sealed("acme", signal);
    match(reason ?? "", /MICRO_CONFIG_SECRET_KEY/);
    const sealed = ({ code, detail }: MicroError) => code === 412 && detail.includes(reason ?? "?");
    await set(driver, ["plain"], 1);
    await rejects(set(driver, ["pw"], "hunter2", true), sealed);
    await rejects(set(driver, ["plain"], "hunter2", true), sealed);
    await rejects(async () => {
      for await (const _ of await driver.rotate(signal));
    }, sealed);
    await reads(driver, [], { plain: 1 }, true);
    await driver.delete("acme", ["plain"], signal);
    await reads(driver, [], {});
  });
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
    await set(driver, ["a"], "x".repeat(0.75 * maxDocumentBytes));
    await rejects(set(driver, ["b"], "x".repeat(0.75 * maxDocumentBytes)), { code: 413 });
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
