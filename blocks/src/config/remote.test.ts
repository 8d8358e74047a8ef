import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { EmbeddedConfig, givenRootKeys, openEmbeddedStore } from "@microts/driver-embedded";
import { serveMethods, testAdmin } from "@microts/testing";
import { Config } from "./config.ts";
import { configConformance } from "./conformance.ts";
import { RemoteConfig } from "./remote.ts";
import { configMethods } from "./service.ts";

async function open(keys = [randomBytes(32)]) {
  const store = await openEmbeddedStore();
  const config = new Config(new EmbeddedConfig({ store, rootKeys: givenRootKeys(keys) }));
  const served = await serveMethods("config", configMethods(config), { account: testAdmin });
  const remote = new RemoteConfig(served.rpc);
  remote[Symbol.asyncDispose] = async () => {
    await served[Symbol.asyncDispose]();
    await store[Symbol.asyncDispose]();
  };
  return remote;
}

describe("RemoteConfig", () => {
  configConformance(it, { open: () => open(), openSealed: () => open([]) });

  // Nightly, since a busy machine is slower than any push.
  const skip = process.env["MICRO_NIGHTLY"] === undefined && "nightly";
  it("is pushed a change within 50 ms, in the median of a hundred", { skip }, async () => {
    await using remote = await open();
    const { signal } = new AbortController();
    const values = (await remote.watch("acme", ["n"], false, signal))[Symbol.asyncIterator]();
    await values.next();
    const times: number[] = [];
    for (let n = 0; n < 100; n++) {
      const start = performance.now();
      const setting = remote.set("acme", ["n"], n, false, signal);
      assert.equal((await values.next()).value, n);
      times.push(performance.now() - start);
      await setting;
    }
    const median = times.toSorted((a, b) => a - b)[50] ?? 0;
    assert.ok(median < 50, `${median} ms`);
  });
});
