import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import type { BlobDriver } from "./blob-driver.ts";

/** Registers one test; `it` of any runner fits. */
export type BlobTest = (name: string, run: () => Promise<void>) => unknown;

export interface BlobHarness {
  /** An empty blob store. */
  open(): Promise<BlobDriver>;
}

const signal = new AbortController().signal;
const info = { contentType: "image/png", public: false };

/** What every blob driver promises: one test for each sentence of `blob-driver.ts`. */
export function blobConformance(test: BlobTest, { open }: BlobHarness): void {
  test("reads what was written, in order and whole", async () => {
    await using driver = await open();
    const chunks = Array.from({ length: 40 }, (_, index) => new Uint8Array(10_000 + index).fill(index));
    await driver.write("acme", "logo", info, from(chunks), signal);
    equal(Buffer.compare(await read(driver, "acme", "logo"), Buffer.concat(chunks)), 0);
  });

  test("keeps an empty blob", async () => {
    await using driver = await open();
    await driver.write("acme", "empty", info, from([]), signal);
    equal((await read(driver, "acme", "empty")).byteLength, 0);
    deepEqual(await driver.list("acme", "", signal), ["empty"]);
  });

  test("answers undefined for a blob that isn't there", async () => {
    await using driver = await open();
    equal(await driver.read("acme", "nothing", signal), undefined);
  });

  test("replaces", async () => {
    await using driver = await open();
    await driver.write("acme", "a", info, from([new Uint8Array(100_000)]), signal);
    await driver.write("acme", "a", info, from([Buffer.from("two")]), signal);
    equal((await read(driver, "acme", "a")).toString(), "two");
  });

  test("leaves what was there before when the stream throws", async () => {
    await using driver = await open();
    await driver.write("acme", "a", info, from([Buffer.from("before")]), signal);
    const broken = async function* () {
      yield new Uint8Array(100_000);
      throw new Error("the source broke");
    };
    await rejects(driver.write("acme", "a", info, broken(), signal));
    await rejects(driver.write("acme", "b", info, broken(), signal));
    equal((await read(driver, "acme", "a")).toString(), "before");
    deepEqual(await driver.list("acme", "", signal), ["a"]);
  });

  test("leaves what was there before when the signal aborts", async () => {
    await using driver = await open();
    await driver.write("acme", "a", info, from([Buffer.from("before")]), signal);
    const abort = new AbortController();
    const endless = async function* () {
      for (let sent = 0; ; sent++) {
        if (sent === 20) abort.abort();
        yield new Uint8Array(1_000);
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    await rejects(driver.write("acme", "a", info, endless(), abort.signal));
    equal((await read(driver, "acme", "a")).toString(), "before");
  });

  test("deletes, and what is not there without an error", async () => {
    await using driver = await open();
    await driver.write("acme", "a", info, from([Buffer.from("x")]), signal);
    await driver.delete("acme", "a", signal);
    await driver.delete("acme", "a", signal);
    equal(await driver.read("acme", "a", signal), undefined);
  });

  test("keeps namespaces apart", async () => {
    await using driver = await open();
    await driver.write("acme", "a", info, from([Buffer.from("1")]), signal);
    await driver.write("umbrella", "a", info, from([Buffer.from("2")]), signal);
    equal((await read(driver, "acme", "a")).toString(), "1");
    deepEqual(await driver.list("nobody", "", signal), []);
  });

  test("lists keys that begin with a prefix, ascending", async () => {
    await using driver = await open();
    for (const key of ["b", "a/2", "a/1", "../etc", "a\u0000"]) await driver.write("acme", key, info, from([]), signal);
    deepEqual(await driver.list("acme", "", signal), ["../etc", "a\u0000", "a/1", "a/2", "b"]);
    deepEqual(await driver.list("acme", "a/", signal), ["a/1", "a/2"]);
  });

  test("finishes a read although the blob is deleted meanwhile, or fails it", async () => {
    await using driver = await open();
    const size = 3_000_000;
    await driver.write("acme", "a", info, from([new Uint8Array(size)]), signal);
    const chunks = (await driver.read("acme", "a", signal))?.[Symbol.asyncIterator]();
    const first = await chunks?.next();
    await driver.delete("acme", "a", signal);
    let received = first?.value?.byteLength ?? 0;
    for (let next = await chunks?.next(); next?.value !== undefined; next = await chunks?.next())
      received += next.value.byteLength;
    ok(received === size, `${received} bytes came without an error`);
  });
}

async function* from(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array, void, undefined> {
  yield* chunks;
}

async function read(driver: BlobDriver, namespace: string, key: string): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of (await driver.read(namespace, key, signal)) ?? []) chunks.push(chunk);
  return Buffer.concat(chunks);
}
