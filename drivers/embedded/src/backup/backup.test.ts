import assert from "node:assert/strict";
import { mkdir, mkdtemp, open, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { wholeBlob } from "@microts/blocks/store";
import { MicroError } from "@microts/core";
import { until } from "../../../../testing/src/until.ts";
import { openEmbeddedBlobs } from "../blobs.ts";
import { openEmbeddedStore } from "../store.ts";
import { backUp, restoreBackup } from "./index.ts";

const signal = new AbortController().signal;
const table = { database: "acme", table: "posts" };
const all = { prefix: "", suffix: "", limit: 0, offset: 0, order: "asc" } as const;
const info = { contentType: "", public: false };

function record(key: string, value: string) {
  return { key, value: Buffer.from(value), metadata: {}, expiresAt: undefined };
}

async function* from(...chunks: Uint8Array[]): AsyncGenerator<Uint8Array, void, undefined> {
  yield* chunks;
}

function fails(code: number, text: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof MicroError, String(error));
    assert.equal(error.code, code, error.detail);
    assert.match(error.detail, text);
    return true;
  };
}

describe("a backup", () => {
  let folder: string;
  let dataDir: string;
  let into: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "micro-backup-"));
    dataDir = join(folder, "data");
    into = join(folder, "backup");
    await mkdir(join(dataDir, "keys"), { recursive: true });
    for (const name of ["signing.pem", "config-secret-key"]) await writeFile(join(dataDir, "keys", name), name);
  });
  afterEach(() => rm(folder, { recursive: true }));

  const options = (more: object = {}) => ({ dataDir, into, withSecretKey: false, signal, ...more });

  /** What a directory holds, opened as a server does. */
  async function contents(directory: string) {
    await using store = await openEmbeddedStore({ dataDir: directory });
    await using blobs = await openEmbeddedBlobs(store.database);
    const records = (await store.list(table, all, signal)).map(({ key, value }) => [
      key,
      Buffer.from(value).toString(),
    ]);
    const keys = await blobs.list("acme", "", signal);
    const bytes = await Promise.all(
      keys.map(async (key) => {
        const chunks = await Array.fromAsync((await blobs.read("acme", key, wholeBlob, signal)) ?? []);
        return [key, Buffer.concat(chunks).toString()] as const;
      }),
    );
    return {
      records: Object.fromEntries(records),
      blobs: Object.fromEntries(bytes),
      problems: await store.database.check(),
    };
  }

  it("made while others write has all from before and one state of what is written (ST-10)", async () => {
    await using store = await openEmbeddedStore({ dataDir });
    await using blobs = await openEmbeddedBlobs(store.database);
    await Promise.all(
      Array.from({ length: 300 }, (_, index) =>
        store.write(table, record(`before ${index}`, "x".repeat(5_000)), signal),
      ),
    );
    await blobs.write("acme", "kept", info, from(Buffer.from("kept")), signal);
    let isOver = false;
    let turns = 0;
    const writeRecords = async () => {
      for (; !isOver; turns++) {
        const changes = ["a", "b"].map((key) => ({ key, record: record(key, `${turns}`), ifRevision: undefined }));
        await store.commit(table, changes, signal);
      }
    };
    const writeBlobs = async () => {
      for (let turn = 0; !isOver; turn++)
        await blobs.write("acme", `changes ${turn % 3}`, info, from(Buffer.from(`${turn}`)), signal);
    };
    const writing = Promise.all([writeRecords(), writeBlobs()]);
    await until(
      async () => turns,
      (done) => done > 3,
    );
    const acknowledged = turns - 1;
    const told: number[] = [];
    await backUp(options({ onProgress: (bytes: number, total: number) => told.push(bytes / total) }));
    isOver = true;
    await writing;
    assert.equal(told.at(-1), 1);
    const { records, blobs: copied, problems } = await contents(into);
    assert.deepEqual(problems, []);
    assert.equal(Object.keys(records).filter((key) => key.startsWith("before")).length, 300);
    assert.equal(records["a"], records["b"]);
    assert.ok(Number(records["a"]) >= acknowledged, `${records["a"]}, and ${acknowledged} was acknowledged before`);
    assert.equal(copied["kept"], "kept");
    assert.deepEqual((await readdir(folder)).toSorted(), ["backup", "data"]);
  });

  it("of a server that was killed has what its log held", async () => {
    const copy = join(folder, "crashed");
    await mkdir(copy);
    {
      await using store = await openEmbeddedStore({ dataDir });
      await store.write(table, record("a", "in the log"), signal);
      for (const name of ["micro.db", "micro.db-wal"])
        await writeFile(join(copy, name), await readFile(join(dataDir, name)));
    }
    await backUp(options({ dataDir: copy }));
    assert.deepEqual((await contents(into)).records, { a: "in the log" });
  });

  it("has the root key of secrets only when asked for", async () => {
    await contents(dataDir);
    await backUp(options());
    assert.deepEqual(await readdir(join(into, "keys")), ["signing.pem"]);
    await backUp(options({ into: join(folder, "two"), withSecretKey: true }));
    assert.deepEqual((await readdir(join(folder, "two", "keys"))).toSorted(), ["config-secret-key", "signing.pem"]);
  });

  it("takes the place of what is there, which is kept beside", async () => {
    {
      await using store = await openEmbeddedStore({ dataDir });
      await using blobs = await openEmbeddedBlobs(store.database);
      await store.write(table, record("a", "old"), signal);
      await blobs.write("acme", "b", info, from(Buffer.from("old")), signal);
      await backUp(options());
      await store.write(table, record("a", "new"), signal);
      await blobs.write("acme", "b", info, from(Buffer.from("new")), signal);
      await assert.rejects(
        restoreBackup({ from: into, dataDir, signal }),
        fails(409, /in use by another micro server/),
      );
    }
    await writeFile(join(dataDir, "keys", "signing.pem"), "mine");
    const { before } = await restoreBackup({ from: into, dataDir, signal });
    assert.deepEqual(await contents(dataDir), { records: { a: "old" }, blobs: { b: "old" }, problems: [] });
    assert.equal(await readFile(join(dataDir, "keys", "signing.pem"), "utf8"), "mine");
    assert.deepEqual(await contents(before ?? ""), { records: { a: "new" }, blobs: { b: "new" }, problems: [] });
    const fresh = join(folder, "fresh");
    assert.equal((await restoreBackup({ from: into, dataDir: fresh, signal })).before, undefined);
    assert.deepEqual((await contents(fresh)).records, { a: "old" });
    assert.equal(await readFile(join(fresh, "keys", "signing.pem"), "utf8"), "signing.pem");
  });

  it("that was altered or cut, or is none, changes nothing", async () => {
    {
      await using store = await openEmbeddedStore({ dataDir });
      await using blobs = await openEmbeddedBlobs(store.database);
      await store.write(table, record("a", "1"), signal);
      await blobs.write("acme", "b", info, from(Buffer.alloc(1_000)), signal);
    }
    await backUp(options());
    const [blob = ""] = await readdir(join(into, "blobs"));
    const restore = (source = into) => restoreBackup({ from: source, dataDir, signal });
    for (const name of ["micro.db", join("blobs", blob)]) {
      const whole = await readFile(join(into, name));
      await using file = await open(join(into, name), "r+");
      await file.write(Buffer.of((whole[500] ?? 0) ^ 1), 0, 1, 500);
      await assert.rejects(restore(), fails(500, new RegExp(`${name}: it was altered`)));
      await writeFile(join(into, name), whole.subarray(0, -1));
      await assert.rejects(restore(), fails(500, /it was altered/));
      await rm(join(into, name));
      await assert.rejects(restore(), fails(500, /damaged/));
      await writeFile(join(into, name), whole);
    }
    await assert.rejects(restore(folder), fails(400, /no backup of a micro server: there is no backup\.json in it$/));
    await writeFile(join(into, "backup.json"), '{"micro":"server backup","format":1,"files":{"../x":{}}}');
    await assert.rejects(restore(), fails(400, /"\.\.\/x" is no file of a backup/));
    assert.deepEqual((await contents(dataDir)).records, { a: "1" });
    await assert.rejects(backUp(options()), fails(400, /it is there already/));
    const nowhere = options({ into: join(folder, "none", "backup") });
    await assert.rejects(backUp(nowhere), fails(400, /can't make .*: there is no folder .*\/none\. Make it first$/));
    await assert.rejects(
      backUp(options({ dataDir: join(folder, "none") })),
      fails(
        404,
        /none is no data directory .*: there is no micro\.db in it\. Name it with --data_dir or MICRO_DATA_DIR$/,
      ),
    );
    assert.deepEqual(
      (await readdir(dataDir)).filter((name) => /before|restoring/.test(name)),
      [],
    );
  });
});
