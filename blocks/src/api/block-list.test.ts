import { deepEqual, equal, rejects } from "node:assert/strict";
import { describe, it } from "node:test";
import { type Account, MicroError } from "@microts/core";
import { EmbeddedBlockList, openEmbeddedStore } from "@microts/driver-embedded";
import { type ServedMethods, serveMethods, testAdmin } from "@microts/testing";
import { BlockList } from "./block-list.ts";
import { blockListConformance } from "./conformance.ts";
import type { BlockListDriver } from "./driver.ts";
import { RemoteBlockList } from "./remote.ts";
import { apiMethods } from "./service.ts";

class ServedBlockList extends RemoteBlockList {
  readonly #close: () => Promise<void>;

  constructor(served: ServedMethods, close: () => Promise<void>) {
    super(served.rpc);
    this.#close = close;
  }

  override [Symbol.asyncDispose](): Promise<void> {
    return this.#close();
  }
}

/** A block list behind a real RPC server, called by `account`. */
async function open(account: Account | undefined): Promise<BlockListDriver> {
  const store = await openEmbeddedStore();
  const served = await serveMethods("api", apiMethods(new BlockList(new EmbeddedBlockList(store))), { account });
  return new ServedBlockList(served, async () => {
    await served[Symbol.asyncDispose]();
    await store[Symbol.asyncDispose]();
  });
}

const signal = new AbortController().signal;

describe("the remote block list", () => {
  blockListConformance(it, { open: () => open(testAdmin) });

  for (const [who, account, code] of [
    ["nobody", undefined, 401],
    ["an account without privileges", { ...testAdmin, scopes: [] }, 403],
    ["the admin of a tenant", { ...testAdmin, issuer: "acme" }, 403],
  ] as const) {
    it(`is closed to ${who}`, async () => {
      await using list = await open(account);
      const entry = { id: "jane", namespace: "micro" };
      for (const call of [() => list.add(entry, signal), () => list.remove(entry, signal), () => list.list(signal)]) {
        await rejects(call, (error) => error instanceof MicroError && error.code === code);
      }
    });
  }
});

describe("a block list", () => {
  it("blocks from the next request on, and only that id of that namespace", async () => {
    await using store = await openEmbeddedStore();
    const list = new BlockList(new EmbeddedBlockList(store));
    await list.add({ id: "jane", namespace: "" });
    equal(list.isBlocked("jane", "micro"), true);
    equal(list.isBlocked("jane", "acme"), false);
    await list.remove({ id: "jane", namespace: "micro" });
    equal(list.isBlocked("jane", "micro"), false);
  });

  it("knows after a refresh what was stored before", async () => {
    await using store = await openEmbeddedStore();
    await new BlockList(new EmbeddedBlockList(store)).add({ id: "jane", namespace: "acme" });
    const list = new BlockList(new EmbeddedBlockList(store));
    equal(list.isBlocked("jane", "acme"), false);
    await list.refresh();
    equal(list.isBlocked("jane", "acme"), true);
    deepEqual(await list.list(), [{ id: "jane", namespace: "acme" }]);
  });

  for (const entry of [
    { id: "", namespace: "micro" },
    { id: "a\0b", namespace: "micro" },
    { id: "x".repeat(129), namespace: "micro" },
    { id: "jane", namespace: "a:b" },
    { id: "jane", namespace: "../micro" },
  ]) {
    it(`refuses ${JSON.stringify(entry).slice(0, 50)}`, async () => {
      await using store = await openEmbeddedStore();
      const list = new BlockList(new EmbeddedBlockList(store));
      await rejects(list.add(entry), { code: 400 });
      await rejects(list.remove(entry), { code: 400 });
    });
  }
});
