import { deepEqual, rejects } from "node:assert/strict";
import { describe, it } from "node:test";
import { RemoteStore, Store, type StoreWatch, storeMethods } from "@microts/blocks/store";
import { type EmbeddedStore, openEmbeddedStore } from "@microts/driver-embedded";
import { serveMethods, testAdmin } from "@microts/testing";
import { until } from "../../testing/src/until.ts";
import { followStore } from "./store-watch.ts";

const signal = new AbortController().signal;
const never = { keepMs: 1e9, keepChanges: 1e9, keepBytes: 1e9 };
const quiet = { database: "a", table: "quiet" };
const record = (key: string) => ({ key, value: Buffer.from('"x"'), metadata: {}, expiresAt: undefined });
const sweeps = async (store: EmbeddedStore, count: number) => {
  for (let sweep = 0; sweep < count; sweep++) await store.sweep(signal);
};

describe("a watch of the store that had nothing to tell for long", () => {
  it("goes on after its server was away, though the changes of others since its begin are forgotten", async () => {
    await using store = await openEmbeddedStore({ sweepMs: 1e6, history: { ...never, keepChanges: 5 } });
    const serve = () => serveMethods("store", storeMethods(new Store(store)), { account: testAdmin });
    let served = await serve();
    const ending = new AbortController();
    const opened: (number | undefined)[] = [];
    const marks: number[] = [];
    const open = async (after: number | undefined): Promise<StoreWatch> => {
      const watch = await new RemoteStore(served.rpc).watch(quiet, "", after, ending.signal);
      opened.push(after);
      const told = async function* () {
        for await (const event of watch) {
          if (event.key === undefined) marks.push(event.revision);
          yield event;
        }
      };
      return { revision: watch.revision, [Symbol.asyncIterator]: told };
    };
    const { revision, [Symbol.asyncIterator]: iterate } = await followStore<string>(open, undefined, ending.signal);
    const next = iterate().next();
    for (let n = 0; n < 20; n++) await store.write({ database: "a", table: "busy" }, record(`${n}`), signal);
    await sweeps(store, 12);
    await until(
      async () => marks,
      ([mark = 0]) => mark > revision,
    );
    await rejects(new RemoteStore(served.rpc).watch(quiet, "", revision, signal), { code: 412 });
    await served[Symbol.asyncDispose]();
    served = await serve();
    await until(
      async () => opened.length,
      (times) => times === 2,
    );
    await store.write(quiet, record("new"), signal);
    deepEqual((await next).value?.entry?.value, "x");
    ending.abort();
    await served[Symbol.asyncDispose]();
  });
});
