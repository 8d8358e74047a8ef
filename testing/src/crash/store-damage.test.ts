import assert from "node:assert/strict";
import { mkdtemp, open, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { MicroError } from "@microts/core";
import { type EmbeddedStore, openEmbeddedStore } from "@microts/driver-embedded";
import { Random } from "./random.ts";
import { crashSeed } from "./seed.ts";

const signal = new AbortController().signal;
const table = { database: "acme", table: "posts" };
const all = { prefix: "", suffix: "", limit: 0, offset: 0, order: "asc" } as const;
const isNightly = process.env["MICRO_NIGHTLY"] !== undefined;
const flips = isNightly ? 400 : 20;
const cuts = isNightly ? 200 : 10;
const seed = crashSeed();

type Contents = ReadonlyMap<string, string>;

/** Files of a data directory that nobody has open, damaged and put back again and again. */
class Victim {
  readonly folder: string;
  readonly #files: ReadonlyMap<string, Buffer>;

  private constructor(folder: string, files: ReadonlyMap<string, Buffer>) {
    this.folder = folder;
    this.#files = files;
  }

  static async of(dataDir: string, names: readonly string[]): Promise<Victim> {
    const files = new Map<string, Buffer>();
    for (const name of names) files.set(name, await readFile(join(dataDir, name)));
    return new Victim(await mkdtemp(join(tmpdir(), "micro-damage-")), files);
  }

  size(name: string): number {
    return this.#files.get(name)?.byteLength ?? 0;
  }

  async reset(): Promise<void> {
    for (const name of ["micro.db", "micro.db-wal", "micro.db-shm"]) await rm(join(this.folder, name), { force: true });
    for (const [name, bytes] of this.#files) await writeFile(join(this.folder, name), bytes);
  }

  async flip(name: string, bit: number): Promise<void> {
    await using file = await open(join(this.folder, name), "r+");
    const byte = this.#files.get(name)?.[bit >> 3] ?? 0;
    await file.write(Buffer.of(byte ^ (1 << (bit & 7))), 0, 1, bit >> 3);
  }
}

/** How a damaged store showed itself: not at all, by refusing to open, by an error for a record, or by what its check says. */
type Shown = "whole" | "refused" | "error" | "told" | "silent";

/** Opens a damaged store and reads all there should be. Fails when it gives anything that was never written. */
async function show(dataDir: string, wanted: Contents): Promise<{ shown: Shown; found: Contents }> {
  const found = new Map<string, string>();
  let store: EmbeddedStore;
  try {
    store = await openEmbeddedStore({ dataDir, sweepMs: 1e8 });
  } catch (error) {
    namesFile(error, dataDir);
    return { shown: "refused", found };
  }
  await using _ = store;
  let isError = false;
  const collect = async (read: () => Promise<readonly { key: string; value: Uint8Array }[]>) => {
    try {
      for (const { key, value } of await read()) found.set(key, Buffer.from(value).toString());
    } catch (error) {
      assert.ok(error instanceof MicroError && error.code === 500, String(error));
      isError = true;
    }
  };
  await collect(() => store.list(table, all, signal));
  for (const key of isError ? wanted.keys() : [])
    await collect(async () => [await store.read(table, key, signal)].filter((each) => each !== undefined));
  const differs = [...found].some(([key, value]) => wanted.get(key) !== value);
  if (isError && !differs) return { shown: "error", found };
  if (!differs && found.size === wanted.size) return { shown: "whole", found };
  return { shown: (await store.database.check()).length > 0 ? "told" : "silent", found };
}

function namesFile(error: unknown, dataDir: string): void {
  assert.ok(error instanceof MicroError && error.code === 500, String(error));
  assert.match(error.detail, /damaged/);
  assert.ok(error.detail.includes(join(dataDir, "micro.db")), error.detail);
}

async function write(store: EmbeddedStore, key: string, value: string): Promise<void> {
  await store.write(table, { key, value: Buffer.from(value), metadata: { of: key }, expiresAt: undefined }, signal);
}

describe("a store whose file was damaged", () => {
  const contents = new Map<string, string>();
  let dataDir: string;
  let victim: Victim;

  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "micro-damage-"));
    await using store = await openEmbeddedStore({ dataDir });
    for (let turn = 0; turn < 2; turn++) {
      for (let index = 0; index < 200; index++) {
        contents.set(`k${index}`, `${turn}.${index}.`.repeat(20));
        await write(store, `k${index}`, contents.get(`k${index}`) ?? "");
      }
    }
    for (let index = 150; index < 200; index++) {
      await store.delete(table, `k${index}`, signal);
      contents.delete(`k${index}`);
    }
    await store[Symbol.asyncDispose]();
    victim = await Victim.of(dataDir, ["micro.db"]);
  });
  after(async () => {
    await rm(dataDir, { recursive: true });
    await rm(victim.folder, { recursive: true });
  });

  it(`gives nothing that was never written and hides nothing, after each of ${flips} flipped bits (EV-04)`, {
    timeout: 280_000,
  }, async (t) => {
    t.diagnostic(`MICRO_CRASH_SEED=${seed}`);
    const random = new Random(seed);
    const counts: Partial<Record<Shown, number>> = {};
    for (let round = 0; round < flips; round++) {
      await victim.reset();
      const bit = random.below(victim.size("micro.db") * 8);
      await victim.flip("micro.db", bit);
      const { shown } = await show(victim.folder, contents);
      assert.notEqual(shown, "silent", `bit ${bit} of seed ${seed}`);
      counts[shown] = (counts[shown] ?? 0) + 1;
    }
    t.diagnostic(JSON.stringify(counts));
  });

  it(`hides nothing after each of ${cuts} cuts`, { timeout: 280_000 }, async () => {
    const random = new Random(seed);
    for (let round = 0; round < cuts; round++) {
      await victim.reset();
      const size = 1 + random.below(victim.size("micro.db") - 1);
      await truncate(join(victim.folder, "micro.db"), size);
      const { shown } = await show(victim.folder, contents);
      // Whole when nothing but free pages was cut off.
      assert.notEqual(shown, "silent", `cut to ${size}, seed ${seed}`);
    }
  });
});

describe("a store whose log was damaged after a crash", () => {
  /** Sizes of the log after each write. */
  const ends: number[] = [];
  const contents = new Map<string, string>();
  let dataDir: string;
  let victim: Victim;

  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "micro-damage-"));
    await using store = await openEmbeddedStore({ dataDir });
    // The table and its first record are in the file, not in the log.
    await write(store, "first", "");
    await store[Symbol.asyncDispose]();
    await using again = await openEmbeddedStore({ dataDir });
    contents.set("first", "");
    const wal = join(dataDir, "micro.db-wal");
    const isQuiet = async () => (await stat(wal)).size;
    for (let index = 0; index < 40; index++) {
      contents.set(`k${index}`, `${index}.`.repeat(50));
      await write(again, `k${index}`, contents.get(`k${index}`) ?? "");
      ends.push(await isQuiet());
    }
    // What a crash leaves: the files as they are.
    victim = await Victim.of(dataDir, ["micro.db", "micro.db-wal"]);
    assert.equal(victim.size("micro.db-wal"), ends.at(-1));
  });
  after(async () => {
    await rm(dataDir, { recursive: true });
    await rm(victim.folder, { recursive: true });
  });

  it(`is refused, or has all but the last write, after each of ${flips} flipped bits`, {
    timeout: 280_000,
  }, async (t) => {
    t.diagnostic(`MICRO_CRASH_SEED=${seed}`);
    const random = new Random(seed);
    const counts: Partial<Record<Shown, number>> = {};
    for (let round = 0; round < flips; round++) {
      await victim.reset();
      const bit = random.below(victim.size("micro.db-wal") * 8);
      await victim.flip("micro.db-wal", bit);
      const { shown, found } = await show(victim.folder, contents);
      counts[shown] = (counts[shown] ?? 0) + 1;
      if (shown === "refused") continue;
      // Of the last transaction nobody can tell whether it was altered or torn by the crash.
      const missing = [...contents.keys()].filter((key) => !found.has(key));
      assert.ok(missing.length === 0 || missing.join() === "k39", `${missing} after bit ${bit} of seed ${seed}`);
      for (const [key, value] of found) assert.equal(value, contents.get(key));
    }
    t.diagnostic(JSON.stringify(counts));
    assert.ok((counts.refused ?? 0) > flips / 2);
  });

  it(`has every write that is whole in it, after each of ${cuts} cuts (EV-05)`, { timeout: 280_000 }, async () => {
    const random = new Random(seed);
    for (let round = 0; round < cuts; round++) {
      await victim.reset();
      const size = random.below(victim.size("micro.db-wal"));
      await truncate(join(victim.folder, "micro.db-wal"), size);
      const { found } = await show(victim.folder, contents);
      const whole = ends.filter((end) => end <= size).length;
      assert.equal(found.size, 1 + whole, `cut to ${size}, seed ${seed}`);
      for (const [key, value] of found) assert.equal(value, contents.get(key));
    }
  });
});
