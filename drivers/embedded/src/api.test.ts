import { describe, it } from "node:test";
import { blockListConformance } from "@microts/blocks/api";
import { EmbeddedBlockList } from "./api.ts";
import { type EmbeddedStore, openEmbeddedStore } from "./store.ts";

/** A list that takes its store with it. */
class OwnBlockList extends EmbeddedBlockList {
  readonly #store: EmbeddedStore;

  constructor(store: EmbeddedStore) {
    super(store);
    this.#store = store;
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await this.#store[Symbol.asyncDispose]();
  }
}

describe("the embedded block list", () => {
  blockListConformance(it, { open: async () => new OwnBlockList(await openEmbeddedStore()) });
});
