import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { EmbeddedDatabase, openEmbeddedBlobs, openEmbeddedStore } from "@microts/driver-embedded";
import { serveMethods, testAdmin } from "@microts/testing";
import { blobConformance } from "./blob-conformance.ts";
import { storeConformance } from "./conformance.ts";
import { Blobs, blobMethods, RemoteBlobs, RemoteStore, Store, storeMethods } from "./index.ts";
import { storeModel } from "./model-conformance.ts";

describe("RemoteStore", () => {
  const open = async () => {
    const driver = await openEmbeddedStore();
    const served = await serveMethods("store", storeMethods(new Store(driver)), { account: testAdmin });
    return closing(new RemoteStore(served.rpc), served, driver);
  };

  storeConformance(it, { expiryGrainMs: 20, open });
  storeModel(it, { open, sequences: process.env["MICRO_NIGHTLY"] === undefined ? 100 : 10_000 });
});

describe("RemoteBlobs", () => {
  blobConformance(it, {
    async open() {
      const dataDir = await mkdtemp(join(tmpdir(), "micro-blobs-"));
      const database = await EmbeddedDatabase.open({ dataDir });
      const driver = await openEmbeddedBlobs(database);
      const served = await serveMethods("store", blobMethods(new Blobs(driver)), { account: testAdmin });
      const removed = { [Symbol.asyncDispose]: () => rm(dataDir, { recursive: true }) };
      return closing(new RemoteBlobs(served.rpc), served, driver, database, removed);
    },
  });
});

/** The driver, closing the parts below with itself. */
function closing<T extends AsyncDisposable>(driver: T, ...parts: AsyncDisposable[]): T {
  driver[Symbol.asyncDispose] = async () => {
    for (const part of parts) await part[Symbol.asyncDispose]();
  };
  return driver;
}
