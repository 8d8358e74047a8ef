import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { StoreRecord, StoreTable } from "@microts/blocks/store";
import fc from "fast-check";
import { type EmbeddedStore, openEmbeddedStore } from "./store.ts";
import { StoreCache } from "./store-cache.ts";

const signal = new AbortController().signal;
const table = { database: "acme", table: "posts" };
const isNightly = process.env["MICRO_NIGHTLY"] !== undefined;

function record(key: string, value = key, expiresAt?: Date): StoreRecord {
  return { key, value: new TextEncoder().encode(value), metadata: {}, expiresAt };
}

/** A store under calls that nobody waits for, and what later reads have to find of them. */
class Run {
  readonly store: EmbeddedStore;
  readonly table: StoreTable;
  readonly now: () => number;
  readonly pass: (ms: number) => void;
  readonly #calls: Promise<unknown>[] = [];
  /** The least revision a key can have from now on, if it has a record. */
  readonly #least = new Map<string, number>();
  /** Keys that were written, and never by a call that takes them away. */
  readonly #isThere = new Map<string, boolean>();
  #newest = 0;

  constructor(store: EmbeddedStore, name: string, now: () => number, pass: (ms: number) => void) {
    this.store = store;
    this.table = { database: "cache", table: name };
    this.now = now;
    this.pass = pass;
  }

  read(key: string): void {
    const [least = 0, isThere = false] = [this.#least.get(key), this.#isThere.get(key)];
    this.#call(async () => {
      const found = await this.store.read(this.table, key, signal);
      if (found === undefined) return assert.ok(!isThere || !this.#isThere.get(key), `${key} is gone`);
      assert.ok(found.revision >= least, `${key} is at ${found.revision}, and was at ${least} before`);
      this.#saw(key, found.revision);
      // A caller's own.
      found.value.fill(0);
    });
  }

  write(key: string, ttlMs: number | undefined): void {
    const expiresAt = ttlMs === undefined ? undefined : new Date(this.now() + ttlMs);
    if (ttlMs !== undefined) this.#isThere.set(key, false);
    this.#call(async () => {
      const revision = await this.store.write(this.table, record(key, "v".repeat(10), expiresAt), signal);
      this.#saw(key, revision);
      if (!this.#isThere.has(key)) this.#isThere.set(key, true);
    });
  }

  delete(key: string): void {
    this.#isThere.set(key, false);
    const before = this.#newest;
    this.#call(async () => {
      await this.store.delete(this.table, key, signal);
      this.#saw(key, before);
    });
  }

  commit(keys: readonly string[], isDelete: boolean, isMet: boolean): void {
    if (isDelete) for (const key of keys) this.#isThere.set(key, false);
    const before = this.#newest;
    this.#call(async () => {
      const changes = keys.map((key) => ({
        key,
        record: isDelete ? undefined : record(key, "committed"),
        ifRevision: isMet ? undefined : 1e12,
      }));
      const revision = await this.store.commit(this.table, changes, signal);
      assert.equal(revision !== undefined, isMet || keys.length === 0);
      if (revision !== undefined) for (const key of keys) this.#saw(key, before);
    });
  }

  giveUp(key: string): void {
    const { signal: given, abort } = withAbort();
    this.#call(async () => {
      const write = this.store.write(this.table, record(key), given);
      abort();
      await write.catch(() => {});
    });
  }

  /** Nothing is on its way: the cache says what the database says. */
  async settle(keys: readonly string[]): Promise<void> {
    await Promise.all(this.#calls.splice(0));
    const query = { prefix: "", suffix: "", limit: 0, offset: 0, order: "asc" } as const;
    const stored = await this.store.list(this.table, query, signal);
    for (const key of keys) {
      const expected = stored.find((each) => each.key === key);
      for (const _ of ["from the database at the latest", "from the cache"]) {
        const found = await this.store.read(this.table, key, signal);
        assert.deepEqual([found?.revision, found?.value], [expected?.revision, expected?.value]);
      }
    }
  }

  #saw(key: string, revision: number): void {
    this.#least.set(key, Math.max(revision, this.#least.get(key) ?? 0));
    this.#newest = Math.max(this.#newest, revision);
  }

  #call(call: () => Promise<void>): void {
    const called = call();
    // Told by who settles.
    called.catch(() => {});
    this.#calls.push(called);
  }
}

function withAbort(): { readonly signal: AbortSignal; readonly abort: () => void } {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort(new Error("given up")) };
}

type Step = (run: Run) => void | Promise<void>;

const keys = ["a", "b", "c"];
const key = fc.constantFrom(...keys);
const step = fc.oneof(
  named(6, "read", key, (at) => (run) => run.read(at)),
  named(3, "write", key, (at) => (run) => run.write(at, undefined)),
  named(2, "write for a while", key, (at) => (run) => run.write(at, 60_000)),
  named(1, "delete", key, (at) => (run) => run.delete(at)),
  named(
    2,
    "commit",
    fc.tuple(fc.uniqueArray(key), fc.boolean(), fc.boolean()),
    (asked) => (run) => run.commit(...asked),
  ),
  named(1, "give up", key, (at) => (run) => run.giveUp(at)),
  named(2, "pass", fc.constant(70_000), (ms) => (run) => run.pass(ms)),
  named(1, "sweep", fc.constant(""), () => (run) => run.store.sweep(signal)),
  named(3, "turn", fc.constant(""), () => () => new Promise((resolve) => setImmediate(resolve))),
  named(2, "settle", fc.constant(""), () => (run) => run.settle(keys)),
);

/** So that a failure says which steps led to it. */
function named<T>(weight: number, name: string, arbitrary: fc.Arbitrary<T>, make: (value: T) => Step) {
  const told = (value: T) => Object.assign(make(value), { toString: () => `${name} ${JSON.stringify(value)}` });
  return { weight, arbitrary: arbitrary.map(told) };
}

async function matchesItsDatabase(sequences: number, dataDir?: string): Promise<void> {
  let now = Date.now();
  await using store = await openEmbeddedStore({ dataDir, sweepMs: 1e8, now: () => now });
  let runs = 0;
  const property = fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60 }), async (steps) => {
    const run = new Run(
      store,
      String(runs++),
      () => now,
      (ms) => (now += ms),
    );
    for (const each of steps) await each(run);
    await run.settle(keys);
  });
  await fc.assert(property, { numRuns: sequences });
}

describe("a store with its cache", () => {
  it("gives every caller what was written before, and nothing that was written over or has expired (ST-03)", async () => {
    await matchesItsDatabase(isNightly ? 5_000 : 200);
  });

  it("does so with several threads that read (ST-03)", async () => {
    const dataDir = await mkdtemp(join(tmpdir(), "micro-cache-"));
    try {
      await matchesItsDatabase(isNightly ? 2_000 : 60, dataDir);
    } finally {
      await rm(dataDir, { recursive: true });
    }
  });

  it("reads without the database what was read before, and keeps tables apart", async () => {
    await using store = await openEmbeddedStore();
    const other = { database: "acme2", table: "posts" };
    for (const at of [table, other]) await store.write(at, record("a", at.database), signal);
    const read = async (at: StoreTable) => Buffer.from((await store.read(at, "a", signal))?.value ?? []).toString();
    assert.deepEqual([await read(table), await read(other)], ["acme", "acme2"]);
    await store.database.write([{ sql: "UPDATE versions SET value = x'00'", params: [] }], signal);
    assert.deepEqual([await read(table), await read(other)], ["acme", "acme2"]);
    await store.write(table, record("a", "new"), signal);
    assert.deepEqual([await read(table), await read(other)], ["new", "acme2"]);
  });

  it("never serves what has expired, though the clock goes back (ST-05)", async () => {
    let now = Date.now();
    await using store = await openEmbeddedStore({ sweepMs: 1e8, now: () => now });
    await store.write(table, record("a", "", new Date(now + 60_000)), signal);
    for (const _ of ["from the database", "from the cache"]) assert.ok(await store.read(table, "a", signal));
    now += 70_000;
    assert.equal(await store.read(table, "a", signal), undefined);
    now -= 70_000;
    assert.equal(await store.read(table, "a", signal), undefined);
  });

  it("gives values that a caller may change, be it the first or a later one", async () => {
    await using store = await openEmbeddedStore();
    await store.write(table, { ...record("a", "right"), metadata: { name: "right" } }, signal);
    for (const _ of [1, 2, 3]) {
      const found = await store.read(table, "a", signal);
      assert.equal(Buffer.from(found?.value ?? []).toString(), "right");
      assert.deepEqual(found?.metadata, { name: "right" });
      found.value.fill(0);
      Object.assign(found.metadata, { name: "wrong" });
    }
  });
});

describe("StoreCache", () => {
  const content = (bytes: number) => ({ value: new Uint8Array(bytes), metadata: null, expiresAt: null, revision: 1 });
  const keep = (cache: StoreCache, key: string, bytes: number) => cache.fill(cache.begin(1, key), content(bytes));

  it("holds no more bytes than it may, what was asked for lately longest, and nothing large", () => {
    const limits = { maxBytes: 100_000, maxEntryBytes: 10_000 };
    const cache = new StoreCache(limits);
    assert.equal(keep(cache, "large", 10_000), false);
    keep(cache, "wanted", 100);
    for (let index = 0; index < 1_000; index++) {
      assert.ok(keep(cache, `k${index}`, 1_000) || keep(cache, `k${index}`, 1_000));
      assert.ok(cache.get(1, "wanted", 0), `after ${index}`);
      assert.ok(cache.bytes <= limits.maxBytes);
    }
    assert.equal(cache.get(1, "k0", 0), undefined);
    assert.ok(cache.bytes > limits.maxBytes / 3);
    cache.writing(1, ["wanted", ...Array.from({ length: 1_000 }, (_, index) => `k${index}`)]);
    assert.equal(cache.bytes, 0);
  });

  it("keeps, once it is full, only what was read before lately", () => {
    const cache = new StoreCache({ maxBytes: 100_000, maxEntryBytes: 10_000 });
    const wanted = Array.from({ length: 20 }, (_, index) => `wanted${index}`);
    for (let index = 0; index < 60; index++) keep(cache, `before${index}`, 1_000);
    for (const _ of ["first", "second"]) for (const key of wanted) keep(cache, key, 1_000);
    let kept = 0;
    for (let index = 0; index < 10_000; index++) if (keep(cache, `once${index}`, 1_000)) kept++;
    assert.ok(kept < 10, `${kept} of 10,000 that were read once`);
    for (const key of wanted) assert.ok(cache.get(1, key, 0), key);
    assert.equal(keep(cache, "once9999", 1_000), true);
  });

  it("keeps nothing of a read that began before a write, or during one, until the last has ended", () => {
    const cache = new StoreCache();
    const early = cache.begin(1, "a");
    const writing = [cache.writing(1, ["a"]), cache.writing(1, ["a"])] as const;
    assert.equal(cache.fill(early, content(1)), false);
    assert.equal(cache.begin(1, "a"), undefined);
    cache.written(writing[0]);
    assert.equal(cache.begin(1, "a"), undefined);
    cache.written(writing[1]);
    const late = cache.begin(1, "a");
    assert.equal(cache.fill(early, content(1)), false);
    assert.equal(cache.fill(late, undefined), true);
    assert.deepEqual(cache.get(1, "a", 0)?.content, undefined);
  });
});
