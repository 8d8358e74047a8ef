import assert from "node:assert/strict";
import { appendFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { MicroError } from "@microts/core";
import { openEmbeddedBlobs, openEmbeddedStore } from "@microts/driver-embedded";
import { LoopDisk } from "./loop-disk.ts";
import { CrashProgram } from "./program.ts";
import { crashRounds } from "./rounds.ts";
import { crashSeed } from "./seed.ts";
import { StoreHistory, type StoreNote } from "./store-history.ts";

const rounds = process.env["MICRO_NIGHTLY"] === undefined ? 20 : 100;
const signal = new AbortController().signal;
const table = { database: "acme", table: "posts" };
const all = { prefix: "", suffix: "", limit: 0, offset: 0, order: "asc" } as const;
const skip = (await LoopDisk.lacks()) ?? false;

function record(key: string, bytes: number) {
  return { key, value: Buffer.alloc(bytes, key), metadata: {}, expiresAt: undefined };
}

function refusal(code: number, text: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof MicroError, String(error));
    assert.equal(error.code, code, error.detail);
    assert.match(error.detail, text);
    return true;
  };
}

describe("a store whose power is cut", { skip }, () => {
  let program: CrashProgram;
  before(async () => {
    program = await CrashProgram.of(new URL("store-writer.ts", import.meta.url));
  });
  after(() => program[Symbol.asyncDispose]());

  it(`has all it acknowledged, ${rounds} times over (ST-02)`, { timeout: 280_000 }, async (t) => {
    const seed = crashSeed();
    t.diagnostic(`MICRO_CRASH_SEED=${seed}`);
    await using disk = await LoopDisk.of(128);
    const history = new StoreHistory();
    await crashRounds<StoreNote>({
      program: program.file,
      dataDir: join(disk.path, "data"),
      rounds,
      seed,
      mostAcknowledged: 300,
      crash: (running) => disk.failUnder(running),
      check: (notes) => history.take(notes),
    });
    t.diagnostic(`${history.acknowledged} changes were acknowledged`);
    assert.ok(history.acknowledged > rounds);
  });
});

describe("a store whose disk fails", { skip }, () => {
  it("acknowledges nothing more until it is started again, and then has all it acknowledged (EV-13)", async () => {
    await using disk = await LoopDisk.of(32);
    const dataDir = join(disk.path, "data");
    {
      await using store = await openEmbeddedStore({ dataDir });
      for (let index = 0; index < 20; index++) await store.write(table, record(`k${index}`, 5_000), signal);
      await disk.cutPower();
      for (let index = 0; index < 3; index++)
        await assert.rejects(
          store.write(table, record("late", 1), signal),
          refusal(503, /disk with .*micro\.db failed.*start the server again/),
        );
    }
    await disk.restore();
    await using store = await openEmbeddedStore({ dataDir });
    assert.equal((await store.list(table, { ...all, prefix: "k" }, signal)).length, 20);
    assert.deepEqual(await store.database.check(), []);
    await store.write(table, record("after", 1), signal);
  });
});

describe("a store on a full disk", { skip }, () => {
  it("refuses with 507 what doesn't fit, keeps what it has, and goes on when there is space (EV-12)", {
    timeout: 280_000,
  }, async () => {
    await using disk = await LoopDisk.of(8);
    const dataDir = join(disk.path, "data");
    const ballast = join(disk.path, "ballast");
    // What is in the log needs as much space in the file before the log can begin anew.
    await writeFile(ballast, Buffer.alloc(4_000_000, "x"));
    const written = new Set<string>();
    {
      await using store = await openEmbeddedStore({ dataDir });
      await using blobs = await openEmbeddedBlobs(store.database);
      const write = async (key: string) => {
        await store.write(table, record(key, 10_000), signal);
        written.add(key);
      };
      const fill = async () => {
        for (let index = 0; ; index++) await write(`k${index}`);
      };
      await assert.rejects(fill(), refusal(507, /disk with .* is full: nothing was written/));
      // Several at once too, each for itself.
      const settled = await Promise.allSettled(Array.from({ length: 20 }, (_, index) => write(`m${index}`)));
      for (const result of settled) if (result.status === "rejected") assert.ok(refusal(507, /full/)(result.reason));
      const chunks = async function* () {
        for (let sent = 0; sent < 200; sent++) yield Buffer.alloc(50_000, "b");
      };
      await assert.rejects(
        blobs.write("acme", "b", { contentType: "", public: false }, chunks(), signal),
        refusal(507, /full/),
      );
      assert.deepEqual(await readdir(join(dataDir, "blobs")), []);
      assert.equal((await store.list(table, all, signal)).length, written.size);
      await rm(ballast);
      await write("again");
      for (const key of written) if (key.startsWith("k")) await store.delete(table, key, signal);
      await write("and again");
    }
    const fillUp = async () => {
      for (;;) await appendFile(ballast, Buffer.alloc(1_024));
    };
    await assert.rejects(fillUp(), { code: "ENOSPC" });
    await assert.rejects(openEmbeddedStore({ dataDir }), refusal(507, /^the disk with .* is full/));
    await rm(ballast);
    await using store = await openEmbeddedStore({ dataDir });
    const left = [...written].filter((key) => !key.startsWith("k")).toSorted();
    assert.deepEqual((await store.keys(table, all, signal)).toSorted(), left);
    assert.deepEqual(await store.database.check(), []);
    assert.ok((await stat(join(dataDir, "micro.db"))).size > 0);
  });
});
