import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";
import type { StoreQuery, StoreRecord } from "@microts/blocks/store";
import { MicroError } from "@microts/core";
import { storeConformance } from "../../../blocks/src/store/conformance.ts";
import { storeModel } from "../../../blocks/src/store/model-conformance.ts";
import { LoopClock } from "../../../testing/src/loop-clock.ts";
import { type EmbeddedStore, openEmbeddedStore } from "./store.ts";

const signal = new AbortController().signal;
const table = { database: "acme", table: "posts" };
const all: StoreQuery = { prefix: "", suffix: "", limit: 0, offset: 0, order: "asc" };

function record(key: string, value = key, expiresAt?: Date): StoreRecord {
  return { key, value: new TextEncoder().encode(value), metadata: {}, expiresAt };
}

async function withDirectory(run: (dataDir: string) => Promise<void>): Promise<void> {
  const dataDir = await mkdtemp(join(tmpdir(), "micro-store-"));
  try {
    await run(dataDir);
  } finally {
    await rm(dataDir, { recursive: true });
  }
}

const isNightly = process.env["MICRO_NIGHTLY"] !== undefined;

describe("EmbeddedStore in memory", () => {
  storeConformance(it, { open: () => openEmbeddedStore() });
  storeModel(it, { open: () => openEmbeddedStore(), sequences: isNightly ? 10_000 : 800 });
});

describe("EmbeddedStore on disk", () => {
  const open = async () => {
    const dataDir = await mkdtemp(join(tmpdir(), "micro-store-"));
    const store = await openEmbeddedStore({ dataDir });
    const close = store[Symbol.asyncDispose].bind(store);
    store[Symbol.asyncDispose] = async () => {
      await close();
      await rm(dataDir, { recursive: true });
    };
    return store;
  };

  storeConformance(it, { open });
  storeModel(it, { open, sequences: isNightly ? 10_000 : 100 });

  it("has everything again after it was closed and opened", async () => {
    await withDirectory(async (dataDir) => {
      {
        await using store = await openEmbeddedStore({ dataDir });
        // Not awaited: closing finishes what was asked for.
        for (let index = 0; index < 3_000; index++) void store.write(table, record(`k${index}`), signal);
      }
      await using store = await openEmbeddedStore({ dataDir });
      assert.equal((await store.keys(table, all, signal)).length, 3_000);
      assert.deepEqual(await store.tables("acme", signal), ["posts"]);
    });
  });
});

describe("expiry", () => {
  it("is invisible at once and gone from disk within two sweeps while reads run (ST-04)", async () => {
    await withDirectory(async (dataDir) => {
      await using store = await openEmbeddedStore({ dataDir, sweepMs: 150 });
      const expiresAt = new Date(Date.now() + 300);
      const writes = Array.from({ length: 1_000 }, (_, index) =>
        store.write(table, record(`k${index}`, "v", expiresAt), signal),
      );
      await Promise.all([...writes, store.write(table, record("stays"), signal)]);
      for (let now = Date.now(); now < expiresAt.getTime() + 50; now = Date.now()) {
        const found = await store.list(table, { ...all, prefix: "k" }, signal);
        assert.ok(found.length === 0 || now <= expiresAt.getTime(), `${found.length} records after they had expired`);
      }
      using clock = new LoopClock();
      while ((await rows(store)) > 1) assert.ok(clock.ms < 2 * 150 + 1_000, "expired records are still on disk");
      assert.deepEqual(await store.keys(table, all, signal), ["stays"]);
    });
  });

  it("never brings a record back when the clock is set back, and gives new ones their whole time (ST-05)", async () => {
    let now = Date.now();
    await using store = await openEmbeddedStore({ now: () => now });
    await store.write(table, record("a", "", new Date(now + 60_000)), signal);
    now += 3_600_000;
    assert.equal(await store.read(table, "a", signal), undefined);
    now -= 3_600_000;
    assert.equal(await store.read(table, "a", signal), undefined);
    await store.write(table, record("b", "", new Date(now + 60_000)), signal);
    const left = ((await store.read(table, "b", signal))?.expiresAt?.getTime() ?? 0) - now;
    assert.ok(left > 50_000 && left <= 60_000, `${left} ms left`);
  });

  async function rows(store: EmbeddedStore): Promise<number> {
    const [row] = await store.database.read("SELECT count(*) FROM records", [], signal);
    return Number(row?.[0]);
  }
});

describe("the past", () => {
  const limits = { keepMs: 1e9, keepChanges: 1e9, keepBytes: 1e9 };
  const count = async (store: EmbeddedStore, sql: string) =>
    Number((await store.database.read(`SELECT count(*) FROM ${sql}`, [], signal))[0]?.[0]);
  const change = async (store: EmbeddedStore, turns: number) => {
    for (let turn = 0; turn < turns; turn++) {
      await Promise.all(
        Array.from({ length: 20 }, (_, index) => store.write(table, record(`k${index}`, "x".repeat(1_000)), signal)),
      );
      await Promise.all(Array.from({ length: 5 }, (_, index) => store.delete(table, `k${index}`, signal)));
    }
  };

  for (const [what, limit] of Object.entries({ keepMs: 0, keepChanges: 10, keepBytes: 10_000 })) {
    it(`is off the disk once ${what} is over, and records are not`, async () => {
      await using store = await openEmbeddedStore({ sweepMs: 1e6, history: { ...limits, [what]: limit } });
      await change(store, 50);
      // Much at once is forgotten without waiting for the next sweep.
      assert.equal((await count(store, "versions")) > 1_000, what !== "keepBytes");
      await store.sweep(signal);
      await store.write(table, record("one more"), signal);
      await store.sweep(signal);
      const left = await count(store, "versions");
      assert.ok(left <= 16 + 40, `${left} versions are left`);
      assert.equal((await store.list(table, all, signal)).length, 16);
      await assert.rejects(store.watch(table, "", 1, signal), { code: 412 });
      const revision = await store.write(table, record("a"), signal);
      await store.sweep(signal);
      assert.ok((await store.write(table, record("b"), signal)) > revision);
    });
  }

  it("is forgotten under a watcher that is too slow, who is told, and not under one that has nothing to read", async () => {
    await using store = await openEmbeddedStore({ sweepMs: 1e6, history: { ...limits, keepChanges: 10 } });
    const slow = (await store.watch(table, "", undefined, signal))[Symbol.asyncIterator]();
    const idle = (await store.watch(table, "other", undefined, signal))[Symbol.asyncIterator]();
    const next = idle.next();
    await change(store, 10);
    await store.sweep(signal);
    await assert.rejects(slow.next(), { code: 412 });
    await store.write(table, record("other"), signal);
    assert.equal((await next).value?.key, "other");
  });

  it("goes on for a watcher that had nothing to see for long, from the last mark that it got", async () => {
    await using store = await openEmbeddedStore({ sweepMs: 1e6, history: { ...limits, keepChanges: 10 } });
    const quiet = { ...table, table: "quiet" };
    const watch = await store.watch(quiet, "", undefined, signal);
    const events = watch[Symbol.asyncIterator]();
    const first = events.next();
    const written = await store.write(table, record("a"), signal);
    // The mark is what was there one time before.
    for (let sweep = 0; sweep < 12; sweep++) await store.sweep(signal);
    const { value: mark } = await first;
    assert.deepEqual(mark, { key: undefined, revision: written });
    await change(store, 1);
    await store.sweep(signal);
    await assert.rejects(store.watch(quiet, "", watch.revision, signal), { code: 412 });
    const next = events.next();
    for (let sweep = 0; sweep < 12; sweep++) await store.sweep(signal);
    const { value: later } = await next;
    assert.ok(later.revision > mark.revision);
    const resumed = (await store.watch(quiet, "", later.revision, signal))[Symbol.asyncIterator]();
    await store.write(quiet, record("new"), signal);
    assert.equal((await resumed.next()).value?.key, "new");
  });

  it("tells that a record has expired, once it is off the disk", async () => {
    let now = Date.now();
    await using store = await openEmbeddedStore({ sweepMs: 1e6, now: () => now });
    const watch = (await store.watch(table, "", undefined, signal))[Symbol.asyncIterator]();
    await store.write(table, record("a", "", new Date(now + 1_000)), signal);
    const written = await watch.next();
    now += 2_000;
    await store.sweep(signal);
    const gone = await watch.next();
    assert.deepEqual([gone.value?.key, gone.value?.record], ["a", undefined]);
    assert.ok(gone.value.revision > written.value?.revision);
    assert.equal(await count(store, "versions WHERE value IS NOT NULL"), 0);
  });
});

describe("names", () => {
  it("are data, whatever they hold, and make no file (ST-07)", async () => {
    await withDirectory(async (dataDir) => {
      await using store = await openEmbeddedStore({ dataDir });
      const before = await readdir(dataDir);
      const nasty = [
        "..",
        "../../etc/passwd",
        "/etc/passwd",
        "a\u0000b",
        "%2e%2e%2f",
        "__proto__",
        "constructor",
        "'; DROP TABLE records; --",
        "C:\\x",
        "\u202e",
        "a".repeat(4096),
        "\n",
        " ",
        "*",
        "?",
        "\ufffd",
        "ключ",
        "💾",
      ];
      for (const name of nasty) {
        const where = { database: name.slice(0, 255), table: name.slice(0, 255) };
        await store.write(where, { ...record(name, name), metadata: { [name]: name } }, signal);
        const read = await store.read(where, name, signal);
        assert.equal(read?.key, name);
        assert.equal(Buffer.from(read?.value ?? []).toString(), name);
        assert.deepEqual(Object.entries(read?.metadata ?? {}), [[name, name]]);
        assert.deepEqual(await store.tables(where.database, signal), [where.table]);
      }
      assert.equal((await store.databases(signal)).length, nasty.length);
      assert.deepEqual(await readdir(dataDir), before);
    });
  });
});

describe("a data directory", () => {
  it("belongs to one store: a second is refused at once, naming directory and process (ST-12)", async () => {
    await withDirectory(async (dataDir) => {
      const first = await openEmbeddedStore({ dataDir });
      using clock = new LoopClock();
      await assert.rejects(openEmbeddedStore({ dataDir }), (error) =>
        refusal(error, 409, [dataDir, `pid ${process.pid}`]),
      );
      assert.ok(clock.ms < 1_000, `${clock.ms} ms`);
      await first.write(table, record("a"), signal);
      await first[Symbol.asyncDispose]();
      await using again = await openEmbeddedStore({ dataDir });
      assert.deepEqual(await again.keys(table, all, signal), ["a"]);
    });
  });

  it("is refused to another process, and free again when its owner was killed (ST-12)", async () => {
    await withDirectory(async (dataDir) => {
      const child = writer(dataDir);
      await child.first;
      await assert.rejects(openEmbeddedStore({ dataDir }), (error) =>
        refusal(error, 409, [dataDir, `pid ${child.pid}`]),
      );
      await child.kill();
      await using store = await openEmbeddedStore({ dataDir });
      assert.ok((await store.keys(table, all, signal)).length > 0);
    });
  });

  it("that holds a damaged file is refused, naming the file", async () => {
    await withDirectory(async (dataDir) => {
      await writeFile(join(dataDir, "micro.db"), "this is no database, and long enough to be read as one ".repeat(100));
      await assert.rejects(openEmbeddedStore({ dataDir }), (error) =>
        refusal(error, 500, [join(dataDir, "micro.db"), "damaged"]),
      );
      // The directory is free again: the refusal is the same, not "in use".
      await assert.rejects(openEmbeddedStore({ dataDir }), (error) => refusal(error, 500, ["damaged"]));
    });
  });

  it("whose records and their versions don't agree says so when it is checked", async () => {
    await withDirectory(async (dataDir) => {
      let now = Date.now();
      await using store = await openEmbeddedStore({ dataDir, now: () => now });
      for (const key of ["a", "b", "c", "a"]) await store.write(table, record(key), signal);
      await store.write(table, record("d", "1"), signal);
      await store.write(table, record("d", "2", new Date(now + 1_000)), signal);
      await store.delete(table, "c", signal);
      now += 2_000;
      await store.sweep(signal);
      assert.deepEqual(await store.database.check(), []);
      for (const sql of [
        "DELETE FROM records WHERE key = CAST('a' AS BLOB)",
        "UPDATE records SET revision = 1000 WHERE key = CAST('b' AS BLOB)",
      ]) {
        const problems = await store.database.check();
        await store.database.write([{ sql, params: [] }], signal);
        assert.ok((await store.database.check()).length > problems.length, sql);
      }
      await assert.rejects(store.read(table, "b", signal), /"b" is damaged/);
    });
  });

  it("has in it which version superseded which, however many changes of a key come at once", async () => {
    await withDirectory(async (dataDir) => {
      await using store = await openEmbeddedStore({ dataDir });
      const replace = (key: string) => ({ key, record: record(key), ifRevision: undefined });
      const changes = Array.from({ length: 2_000 }, (_, index) => {
        const key = `k${(index * index) % 97}`;
        if (index % 11 === 0) return store.delete(table, key, signal);
        if (index % 7 > 0) return store.write(table, record(key, `${index}`), signal);
        return store.commit(table, [replace(key), replace("both")], signal);
      });
      await Promise.all(changes);
      assert.deepEqual(await store.database.check(), []);
    });
  });

  it("of a newer version is refused and left as it is", async () => {
    await withDirectory(async (dataDir) => {
      const newer = new DatabaseSync(join(dataDir, "micro.db"));
      newer.exec("PRAGMA user_version = 1000");
      newer.close();
      await assert.rejects(openEmbeddedStore({ dataDir }), (error) => refusal(error, 412, ["newer version"]));
    });
  });

  it("that can't be made is refused, naming it", async () => {
    await withDirectory(async (dataDir) => {
      await writeFile(join(dataDir, "file"), "");
      await assert.rejects(openEmbeddedStore({ dataDir: join(dataDir, "file", "data") }), (error) =>
        refusal(error, 503, [join(dataDir, "file", "data"), "MICRO_DATA_DIR"]),
      );
    });
  });

  function refusal(error: unknown, code: number, texts: readonly string[]): boolean {
    assert.ok(error instanceof MicroError);
    assert.equal(error.code, code);
    for (const text of texts) assert.ok(error.detail.includes(text), `${error.detail} does not name ${text}`);
    return true;
  }
});

interface Writer {
  readonly pid: number;
  /** Resolves with the first acknowledgement. */
  readonly first: Promise<void>;
  /** Kills the process and resolves with the keys it had been told were written. */
  kill(): Promise<string[]>;
}

/** A process that writes records and prints each key when its write has resolved. */
function writer(dataDir: string, prefix = "w"): Writer {
  const program = `
    import { writeSync } from "node:fs";
    import { openEmbeddedStore } from ${JSON.stringify(import.meta.resolve("./store.ts"))};
    const [dataDir, prefix] = process.argv.slice(1);
    const store = await openEmbeddedStore({ dataDir });
    const signal = new AbortController().signal;
    for (let turn = 0; ; turn++) {
      await Promise.all(Array.from({ length: 20 }, async (_, index) => {
        const key = prefix + turn + "." + index;
        await store.write(${JSON.stringify(table)}, { key, value: new TextEncoder().encode(key.repeat(20)), metadata: {}, expiresAt: undefined }, signal);
        writeSync(1, key + "\\n");
      }));
    }`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", program, dataDir, prefix], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  const first = Promise.withResolvers<void>();
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
    first.resolve();
  });
  const closed = new Promise<void>((resolve) => child.once("close", () => resolve()));
  void closed.then(() => first.reject(new Error("the writer ended before it wrote")));
  return {
    pid: child.pid ?? 0,
    first: first.promise,
    async kill() {
      child.kill("SIGKILL");
      await closed;
      return output.split("\n").slice(0, -1);
    },
  };
}
