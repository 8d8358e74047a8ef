import { deepEqual, rejects } from "node:assert/strict";
import type { BlockEntry, BlockListDriver } from "./driver.ts";

/** Registers one test; `it` of any runner fits. */
export type BlockListTest = (name: string, run: () => Promise<void>) => void;

export interface BlockListHarness {
  /** An empty list. */
  open(): Promise<BlockListDriver>;
}

const signal = new AbortController().signal;
const entry = (id: string, namespace = "micro"): BlockEntry => ({ id, namespace });

/** What every driver of the block list must do: one test per sentence of `driver.ts`. */
export function blockListConformance(test: BlockListTest, { open }: BlockListHarness): void {
  test("begins empty", async () => {
    await using driver = await open();
    deepEqual(await driver.list(signal), []);
  });

  test("lists what was added once, by namespace then id", async () => {
    await using driver = await open();
    for (const each of [entry("b"), entry("a", "zoo"), entry("a"), entry("z", "acme"), entry("b")]) {
      await driver.add(each, signal);
    }
    deepEqual(await driver.list(signal), [entry("z", "acme"), entry("a"), entry("b"), entry("a", "zoo")]);
  });

  test("removes exactly one id of one namespace", async () => {
    await using driver = await open();
    for (const each of [entry("a"), entry("a", "acme"), entry("ab")]) await driver.add(each, signal);
    await driver.remove(entry("a"), signal);
    deepEqual(await driver.list(signal), [entry("a", "acme"), entry("ab")]);
  });

  test("removing what is not there is not an error", async () => {
    await using driver = await open();
    await driver.remove(entry("nobody"), signal);
    deepEqual(await driver.list(signal), []);
  });

  test("keeps ids as they are", async () => {
    await using driver = await open();
    const odd = ["a:b", "a/b", "a b", "%2F", "..", "jane@acme.io", "日本", "__proto__"].toSorted((a, b) =>
      Buffer.compare(Buffer.from(a), Buffer.from(b)),
    );
    for (const id of odd.toReversed()) await driver.add(entry(id), signal);
    deepEqual(
      (await driver.list(signal)).map(({ id }) => id),
      odd,
    );
  });

  test("stops when the signal has aborted", async () => {
    await using driver = await open();
    await rejects(driver.list(AbortSignal.abort()));
  });
}
