// Names as callers may give them, over RPC: each is kept as it is or refused, and none is ever part of a path (ST-07).
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Blobs, blobMethods, RemoteBlobs, RemoteStore, Store, storeMethods, wholeBlob } from "@microts/blocks/store";
import { MicroError } from "@microts/core";
import { openEmbeddedBlobs, openEmbeddedStore } from "@microts/driver-embedded";
import { serveMethods, testAdmin } from "./index.ts";
import { nastyNames } from "./nasty-names.ts";

const names = nastyNames(2_000);
const signal = new AbortController().signal;

/** Whether the name was taken; any other refusal than a 400 or, for the platform's own, a 403 fails. */
async function taken(write: Promise<unknown>): Promise<boolean> {
  try {
    await write;
    return true;
  } catch (error) {
    assert.ok(error instanceof MicroError && [400, 403].includes(error.code), String(error));
    return false;
  }
}

describe("2,000 nasty names (ST-07)", { timeout: 280_000 }, () => {
  let folder: string;
  let store: RemoteStore;
  let blobs: RemoteBlobs;
  const stack = new AsyncDisposableStack();

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "micro-names-"));
    stack.defer(() => rm(folder, { recursive: true }));
    const dataDir = join(folder, "a", "data");
    await mkdir(dataDir, { recursive: true });
    const driver = stack.use(await openEmbeddedStore({ dataDir }));
    const blobDriver = stack.use(await openEmbeddedBlobs(driver.database));
    const methods = [...storeMethods(new Store(driver)), ...blobMethods(new Blobs(blobDriver))];
    const served = stack.use(await serveMethods("store", methods, { account: testAdmin }));
    store = new RemoteStore(served.rpc);
    blobs = new RemoteBlobs(served.rpc);
  });
  after(() => stack.disposeAsync());

  /** Below the folder; the names of blobs' files, which are random, as one. */
  const files = async () => {
    const found = await readdir(folder, { recursive: true });
    return [...new Set(found.map((path) => path.replace(/^a\/data\/blobs\/[\da-f-]{36}$/, "blob")))].toSorted();
  };

  it("are databases, tables, keys and values of records, or refused", async () => {
    const before = await files();
    const kept = await Promise.all(
      names.map(async (name) => {
        const metadata = { name };
        const record = { key: name, value: Buffer.from(name), metadata, expiresAt: undefined };
        const table = { database: name, table: name };
        if (await taken(store.write(table, record, signal))) {
          const read = await store.read(table, name, signal);
          assert.deepEqual([read?.key, Buffer.from(read?.value ?? []).toString()], [name, name]);
          assert.deepEqual({ ...read?.metadata }, metadata);
          assert.deepEqual(await store.keys(table, { ...all, prefix: name }, signal), [name]);
          assert.deepEqual(await store.tables(name, signal), [name]);
          return name;
        }
        return undefined;
      }),
    );
    const taking = kept.filter((name) => name !== undefined);
    assert.ok(taking.length > 1_000, `${taking.length} were taken`);
    assert.deepEqual((await store.databases(signal)).toSorted(), taking.toSorted());
    assert.deepEqual(await files(), before);
  });

  it("are namespaces and keys of blobs, or refused", async () => {
    const before = await files();
    // Each of them is a file, synced.
    const some = process.env["MICRO_NIGHTLY"] === undefined ? names.slice(0, 300) : names;
    let count = 0;
    const one = async (name: string) => {
      const info = { contentType: "", public: false };
      const bytes = async function* () {
        yield Buffer.from(name);
      };
      if (!(await taken(blobs.write(name, name, info, bytes(), signal)))) return;
      count++;
      const chunks = await Array.fromAsync((await blobs.read(name, name, wholeBlob, signal)) ?? []);
      assert.equal(Buffer.concat(chunks).toString(), name);
      assert.deepEqual(await blobs.list(name, "", signal), [name]);
    };
    for (let at = 0; at < some.length; at += 50) await Promise.all(some.slice(at, at + 50).map(one));
    assert.ok(count > 200, `${count} were taken`);
    assert.deepEqual(await files(), [...before, "blob"].toSorted());
  });
});

const all = { prefix: "", suffix: "", limit: 0, offset: 0, order: "asc" } as const;
