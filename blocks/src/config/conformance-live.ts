import { deepEqual, equal, ok } from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import type { ConfigDriver, Json, RotationProgress } from "./driver.ts";

type Test = (name: string, run: () => Promise<void>) => unknown;
type Open = () => Promise<ConfigDriver>;

const signal = new AbortController().signal;

function set(driver: ConfigDriver, path: string[], value: Json, secret = false): Promise<void> {
  return driver.set("acme", path, value, secret, signal);
}

async function revealed(driver: ConfigDriver, path: string[]): Promise<string | undefined> {
  return JSON.stringify(await driver.get("acme", path, true, signal));
}

/** What watches promise. */
export function watchTests(test: Test, open: Open): void {
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

/** What rotations promise. */
export function rotationTests(test: Test, open: Open): void {
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
    for (let n = 0; n < 20; n++)
      equal(await revealed(driver, ["many", `k${n}`]), JSON.stringify({ n, text: `secret ${n}` }));
    equal(await driver.get("umbrella", ["pw"], true, signal), "theirs");
    await set(driver, ["later"], "x", true);
    equal((await rotate(driver)).secrets, 42);
    equal(await revealed(driver, ["later"]), '"x"');
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
      for (; !isDone; await turn()) equal(await revealed(driver, ["pw"]), "0");
    })();
    for (let round = 0; round < 5; round++) await rotate(driver);
    isDone = true;
    await reading;
    const count = await writing;
    const values = await driver.get("acme", ["new"], true, signal);
    equal(JSON.stringify(Object.values(values ?? {})), JSON.stringify(Array.from({ length: count }, (_, n) => n)));
  });
}
