import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { createHash } from "node:crypto";
import { type BlobDriver, type BlobRange, wholeBlob } from "./blob-driver.ts";

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

  test("takes each chunk as it is then, although the source uses its memory again", async () => {
    await using driver = await open();
    const chunk = Buffer.alloc(100_000);
    const source = async function* () {
      for (let n = 0; n < 5; n++) yield chunk.fill(n);
    };
    await driver.write("acme", "a", info, source(), signal);
    chunk.fill(9);
    const bytes = await read(driver, "acme", "a");
    deepEqual(
      [0, 1, 2, 3, 4].map((n) => bytes[n * 100_000 + 50_000]),
      [0, 1, 2, 3, 4],
    );
    equal(bytes.length, 500_000);
  });

  test("reads any part of a blob", async () => {
    await using driver = await open();
    const bytes = Buffer.from(Uint32Array.from({ length: 150_000 }, (_, index) => index).buffer);
    await driver.write("acme", "a", info, from([bytes]), signal);
    const places = [0, 1, 65_536, 262_143, 262_144, 262_145, 524_288, 599_999, 600_000, 700_000];
    for (const offset of places) {
      for (const length of [0, 1, 262_144, 300_000, wholeBlob.length]) {
        const part = await read(driver, "acme", "a", { offset, length });
        ok(part.equals(bytes.subarray(offset, offset + length)), `${length} bytes from ${offset}`);
      }
    }
    equal(await driver.read("acme", "nothing", { offset: 0, length: 0 }, signal), undefined);
  });

  test("says size, checksum, content type, whether it is public, and when it was written", async () => {
    await using driver = await open();
    const before = Date.now() - 1_000;
    const bytes = Buffer.alloc(600_000, "abc");
    await driver.write("acme", "a", { contentType: "text/plain", public: true }, from([bytes, bytes]), signal);
    const { writtenAt, ...stat } = (await driver.stat("acme", "a", signal)) ?? {};
    const sha256 = createHash("sha256").update(bytes).update(bytes).digest("hex");
    deepEqual(stat, { size: 1_200_000, sha256, contentType: "text/plain", public: true });
    ok(writtenAt !== undefined && writtenAt.getTime() >= before && writtenAt.getTime() <= Date.now() + 1_000);
    await driver.write("acme", "a", { contentType: "", public: false }, from([]), signal);
    const empty = await driver.stat("acme", "a", signal);
    deepEqual([empty?.size, empty?.contentType, empty?.public], [0, "", false]);
    equal(await driver.stat("acme", "nothing", signal), undefined);
    equal(await driver.stat("umbrella", "a", signal), undefined);
  });

  test("keeps an empty blob", async () => {
    await using driver = await open();
    await driver.write("acme", "empty", info, from([]), signal);
    equal((await read(driver, "acme", "empty")).byteLength, 0);
    deepEqual(await driver.list("acme", "", signal), ["empty"]);
  });

  test("answers undefined for a blob that isn't there", async () => {
    await using driver = await open();
    equal(await driver.read("acme", "nothing", wholeBlob, signal), undefined);
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
    equal(await driver.read("acme", "a", wholeBlob, signal), undefined);
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
    const chunks = (await driver.read("acme", "a", wholeBlob, signal))?.[Symbol.asyncIterator]();
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

async function read(driver: BlobDriver, namespace: string, key: string, range: BlobRange = wholeBlob): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of (await driver.read(namespace, key, range, signal)) ?? []) chunks.push(chunk);
  return Buffer.concat(chunks);
}
