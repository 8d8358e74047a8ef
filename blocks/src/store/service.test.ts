import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type Account, MicroError } from "@microts/core";
import { serviceClient } from "@microts/core/rpc";
import { EmbeddedDatabase, EmbeddedStore, openEmbeddedBlobs } from "@microts/driver-embedded";
import { BlobStore, Store as StoreService } from "@microts/proto/store";
import { type ServedMethods, serveMethods, testAdmin } from "@microts/testing";
import { Blobs, blobMethods, platformDatabase, Store, storeMethods } from "./index.ts";

const acmeAdmin: Account = { ...testAdmin, issuer: "acme" };
const acmeUser: Account = { ...acmeAdmin, scopes: [] };
const bytes = (text: string) => new TextEncoder().encode(text);

let dataDir: string;
let database: EmbeddedDatabase;
let driver: EmbeddedStore;

before(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "micro-store-"));
  database = await EmbeddedDatabase.open({ dataDir });
  driver = new EmbeddedStore(database);
});

after(async () => {
  await driver[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
  await rm(dataDir, { recursive: true });
});

async function serve(account: Account | undefined, namespace = account?.issuer ?? "micro"): Promise<ServedMethods> {
  const blobs = new Blobs(await openEmbeddedBlobs(database), { maxBytes: 200_000 });
  return serveMethods("store", [...storeMethods(new Store(driver)), ...blobMethods(blobs)], { account, namespace });
}

function fails(code: number, text: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof MicroError, String(error));
    assert.equal(error.code, code, error.detail);
    assert.match(error.detail, text);
    return true;
  };
}

describe("store.Store over RPC", () => {
  it("reads and writes in micro's table micro when nothing is named", async () => {
    await using served = await serve(testAdmin);
    const store = serviceClient(StoreService, served.rpc, "store");
    await store.write({
      record: { key: "a", value: bytes("1"), expiry: 60n, metadata: { owner: { type: "string", value: "jane" } } },
    });
    const { records } = await store.read({ key: "a" });
    assert.equal(records[0]?.expiry, 60n);
    assert.deepEqual(
      { ...records[0]?.metadata["owner"], $typeName: undefined },
      { $typeName: undefined, type: "string", value: "jane" },
    );
    assert.equal(
      new TextDecoder().decode(
        (await driver.read({ database: "micro", table: "micro" }, "a", AbortSignal.timeout(60_000)))?.value,
      ),
      "1",
    );
  });

  it("answers JSON callers", async () => {
    await using served = await serve(testAdmin);
    await served.rpc.callJson("store", "Store.Write", {
      record: { key: "json", value: Buffer.from("x").toString("base64") },
    });
    const reply = (await served.rpc.callJson("store", "Store.Read", { key: "json" })) as {
      records: { value: string; expiry: string }[];
    };
    assert.deepEqual([reply.records[0]?.value, reply.records[0]?.expiry], ["eA==", "0"]);
  });

  it("answers 404 for a missing key and an empty list for a prefix without matches", async () => {
    await using served = await serve(acmeAdmin);
    const store = serviceClient(StoreService, served.rpc, "store");
    const options = { database: "acme", table: "posts" };
    await assert.rejects(
      store.read({ key: "nobody", options }),
      fails(404, /^not found: "nobody" in table "posts" of database "acme"/),
    );
    assert.deepEqual((await store.read({ key: "nobody", options: { ...options, prefix: true } })).records, []);
  });

  it("applies a key as prefix, suffix or both", async () => {
    await using served = await serve(acmeAdmin);
    const store = serviceClient(StoreService, served.rpc, "store");
    const options = { database: "acme", table: "affixes" };
    for (const key of ["aba", "ab", "ba", "b"]) await store.write({ record: { key, value: bytes(key) }, options });
    const read = async (flags: { prefix?: boolean; suffix?: boolean; order?: string; limit?: bigint }) =>
      (await store.read({ key: "a", options: { ...options, ...flags } })).records.map(({ key }) => key);
    assert.deepEqual(await read({ prefix: true }), ["ab", "aba"]);
    assert.deepEqual(await read({ suffix: true }), ["aba", "ba"]);
    assert.deepEqual(await read({ prefix: true, suffix: true }), ["aba"]);
    assert.deepEqual(await read({ prefix: true, order: "desc", limit: 1n }), ["aba"]);
    assert.deepEqual(await read({ prefix: true, order: "sideways" }), ["ab", "aba"]);
  });

  it("lists in exactly one message", async () => {
    await using served = await serve(acmeAdmin);
    const store = serviceClient(StoreService, served.rpc, "store");
    const options = { database: "acme", table: "one-message" };
    assert.equal((await Array.fromAsync(store.list({ options }))).length, 1);
    for (const key of ["a", "b"]) await store.write({ record: { key }, options });
    assert.deepEqual(
      (await Array.fromAsync(store.list({ options }))).map(({ keys }) => keys),
      [["a", "b"]],
    );
  });

  it("commits by revision and says which key had another", async () => {
    await using served = await serve(acmeAdmin);
    const store = serviceClient(StoreService, served.rpc, "store");
    const place = { database: "acme", table: "commits" };
    const put = (key: string, revision: bigint) => ({ entry: { key: bytes(key) }, conditional: true, revision });
    const { revision } = await store.commit({ ...place, changes: [put("a", 0n), put("b", 0n)] });
    assert.equal((await store.get({ ...place, key: bytes("b") })).entry?.revision, revision);
    await assert.rejects(store.commit({ ...place, changes: [put("b", revision + 1n)] }), fails(409, /"b" changed/));
    await assert.rejects(store.commit({ ...place, changes: [put("a", 0n), put("a", 0n)] }), fails(400, /"a".* twice/));
    await assert.rejects(store.commit({ ...place, changes: [{}] }), fails(400, /no entry/));
    const many = Array.from({ length: 1_001 }, (_, index) => ({ entry: { key: bytes(String(index)) } }));
    await assert.rejects(store.commit({ ...place, changes: many }), fails(413, /limit is 1000/));
  });

  it("refuses a write without a record or key, and what is too large, naming the limit (ST-08)", async () => {
    await using served = await serve(testAdmin);
    const store = serviceClient(StoreService, served.rpc, "store");
    await assert.rejects(store.write({}), fails(400, /record is missing/));
    await assert.rejects(store.write({ record: {} }), fails(400, /the key is missing/));
    await assert.rejects(store.read({}), fails(400, /the key is missing/));
    await assert.rejects(
      store.write({ record: { key: "k".repeat(4097) } }),
      fails(400, /4097 bytes; the limit is 4096/),
    );
    await assert.rejects(
      store.write({ record: { key: "a", value: new Uint8Array(16 * 1024 * 1024 + 1) } }),
      fails(413, /limit is 16777216/),
    );
    await store.write({ record: { key: "a", value: new Uint8Array(16 * 1024 * 1024) } });
  });

  const calls: readonly [string, string, object][] = [
    ["Store.Read", "acme", { key: "a", options: { database: "acme" } }],
    ["Store.Read", "micro", { key: "a" }],
    ["Store.Write", "acme", { record: { key: "a" }, options: { database: "acme" } }],
    ["Store.Delete", "acme", { key: "a", options: { database: "acme" } }],
    ["Store.Tables", "acme", { database: "acme" }],
    ["Store.Databases", "micro", {}],
    ["Store.Get", "acme", { database: "acme", key: "YQ==" }],
    ["Store.Count", "acme", { database: "acme" }],
    ["Store.Commit", "acme", { database: "acme", changes: [{ entry: { key: "YQ==" }, delete: true }] }],
    ["Store.Commit", "micro", { changes: [] }],
    ["BlobStore.Delete", "acme", { key: "a", options: { namespace: "acme" } }],
    ["BlobStore.List", "acme", { options: { namespace: "acme" } }],
  ];
  for (const [endpoint, database, request] of calls) {
    it(`lets only an admin of ${database} call ${endpoint} ${JSON.stringify(request)}`, async () => {
      const call = async (account: Account | undefined) => {
        await using served = await serve(account);
        await served.rpc.callJson("store", endpoint, request);
      };
      await assert.rejects(call(undefined), fails(401, /an account is required/));
      await assert.rejects(call({ ...testAdmin, issuer: "umbrella" }), fails(403, /access denied to namespace/));
      await assert.rejects(call({ ...acmeUser, issuer: database }), fails(403, /Unauthorized/));
      if (database !== "acme") await assert.rejects(call(acmeAdmin), fails(403, /access denied to namespace/));
    });
  }

  it("keeps the platform's own database from everybody, services and admins of micro included (CF-01, AU-12)", async () => {
    const service: Account = { ...testAdmin, id: "posts-latest", type: "service", scopes: ["service"] };
    await driver.write(
      { database: platformDatabase, table: "auth" },
      { key: "canary", value: bytes("hash"), metadata: {}, expiresAt: undefined },
      new AbortController().signal,
    );
    for (const account of [testAdmin, service, acmeAdmin]) {
      await using served = await serve(account);
      const store = serviceClient(StoreService, served.rpc, "store");
      const options = { database: platformDatabase, table: "auth" };
      await assert.rejects(store.read({ key: "canary", options }), fails(403, /platform/));
      await assert.rejects(store.write({ record: { key: "canary" }, options }), fails(403, /platform/));
      await assert.rejects(store.delete({ key: "canary", options }), fails(403, /platform/));
      await assert.rejects(store.tables({ database: platformDatabase }), fails(403, /platform/));
      await assert.rejects(store.get({ ...options, key: bytes("canary") }), fails(403, /platform/));
      await assert.rejects(store.count(options), fails(403, /platform/));
      await assert.rejects(store.commit(options), fails(403, /platform/));
      await assert.rejects(Array.fromAsync(store.scan(options)), fails(403, /platform/));
      await assert.rejects(Array.fromAsync(store.watch(options)), fails(403, /platform/));
      await assert.rejects(Array.fromAsync(store.snapshot(options)), fails(403, /platform/));
    }
    await using served = await serve(testAdmin);
    const { databases } = await serviceClient(StoreService, served.rpc, "store").databases({});
    assert.ok(!databases.includes(platformDatabase));
  });

  it("lets only an admin list and stream blobs", async () => {
    await using served = await serve(acmeUser);
    const store = serviceClient(StoreService, served.rpc, "store");
    const blobs = serviceClient(BlobStore, served.rpc, "store");
    await assert.rejects(Array.fromAsync(store.list({ options: { database: "acme" } })), fails(403, /Unauthorized/));
    await assert.rejects(Array.fromAsync(store.scan({ database: "acme" })), fails(403, /Unauthorized/));
    await assert.rejects(Array.fromAsync(store.watch({ database: "acme" })), fails(403, /Unauthorized/));
    await assert.rejects(Array.fromAsync(store.snapshot({ database: "acme" })), fails(403, /Unauthorized/));
    await assert.rejects(Array.fromAsync(blobs.read({ key: "a" })), fails(403, /Unauthorized/));
    await assert.rejects(blobs.write(messages({ key: "a", blob: bytes("x") })), fails(403, /Unauthorized/));
  });
});

describe("store.BlobStore over RPC", () => {
  it("writes into the namespace the call acts in when none is named", async () => {
    await using served = await serve(acmeAdmin);
    const blobs = serviceClient(BlobStore, served.rpc, "store");
    await blobs.write(messages({ key: "logo", blob: bytes("1") }, { key: "logo", blob: bytes("2") }));
    assert.deepEqual((await blobs.list({ options: { namespace: "acme" } })).keys, ["logo"]);
    const chunks = await Array.fromAsync(blobs.read({ key: "logo" }));
    assert.equal(Buffer.concat(chunks.map(({ blob }) => blob)).toString(), "12");
  });

  it("lets anybody read a public blob, and tells nobody else what there is", async () => {
    {
      await using served = await serve(acmeAdmin);
      const blobs = serviceClient(BlobStore, served.rpc, "store");
      for (const key of ["open", "closed"])
        await blobs.write(messages({ key, options: { public: key === "open" }, blob: bytes(key) }));
    }
    for (const account of [undefined, acmeUser, { ...testAdmin, issuer: "umbrella" }]) {
      await using served = await serve(account, "acme");
      const blobs = serviceClient(BlobStore, served.rpc, "store");
      const read = (key: string) => Array.fromAsync(blobs.read({ key, options: { namespace: "acme" } }));
      assert.equal(Buffer.concat((await read("open")).map(({ blob }) => blob)).toString(), "open");
      assert.equal((await blobs.stat({ key: "open", options: { namespace: "acme" } })).size, 4n);
      for (const key of ["closed", "nothing"])
        await assert.rejects(read(key), (error) => error instanceof MicroError && [401, 403].includes(error.code));
      await assert.rejects(
        blobs.write(messages({ key: "open", options: { namespace: "acme", public: true }, blob: bytes("") })),
        (error) => error instanceof MicroError && [401, 403].includes(error.code),
      );
    }
  });

  it("answers 404 for a missing blob and 400 for a call without a message", async () => {
    await using served = await serve(acmeAdmin);
    const blobs = serviceClient(BlobStore, served.rpc, "store");
    await assert.rejects(Array.fromAsync(blobs.read({ key: "nothing" })), fails(404, /^not found: the blob "nothing"/));
    await assert.rejects(blobs.write(messages()), fails(400, /No blob was sent/));
  });

  it("refuses a blob above the limit and keeps none of it (ST-08)", async () => {
    await using served = await serve(acmeAdmin);
    const blobs = serviceClient(BlobStore, served.rpc, "store");
    const chunk = { key: "large", blob: new Uint8Array(50_000) };
    await assert.rejects(
      blobs.write(messages(chunk, chunk, chunk, chunk, chunk)),
      fails(413, /more than 200000 bytes/),
    );
    assert.equal((await blobs.list({ options: { prefix: "large" } })).keys.length, 0);
  });
});

interface Chunk {
  key: string;
  options?: { namespace?: string; public?: boolean };
  blob: Uint8Array;
}

async function* messages(...chunks: Chunk[]): AsyncGenerator<Chunk, void, undefined> {
  yield* chunks;
}
