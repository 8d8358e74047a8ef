import assert from "node:assert/strict";
import { copyFile, mkdir, mkdtemp, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { ConsumeOptions, Damage, NewEvent, StreamEvent } from "@microts/blocks/events";
import { MicroError } from "@microts/core";
import { Random } from "../../../../testing/src/crash/random.ts";
import { crashSeed } from "../../../../testing/src/crash/seed.ts";
import { openEmbeddedStore } from "../store.ts";
import { EmbeddedEvents } from "./events.ts";

const signal = new AbortController().signal;
const isNightly = Boolean(process.env["MICRO_NIGHTLY"]);

/** Unlike any other, and long enough to be cut into pages of the file. */
function textOf(n: number): string {
  return `<event ${n}>`.padEnd(300 + (n % 700), `${n},`);
}

function event(n: number): NewEvent {
  return {
    id: undefined,
    timestamp: new Date(),
    metadata: { n: String(n) },
    payload: Buffer.from(textOf(n)),
    expiresAt: undefined,
  };
}

function isUnaltered({ offset, payload, metadata }: StreamEvent): boolean {
  return Buffer.from(payload).toString() === textOf(offset) && metadata["n"] === String(offset);
}

async function opened(dataDir: string) {
  const stack = new AsyncDisposableStack();
  const store = stack.use(await openEmbeddedStore({ dataDir }));
  const events = stack.use(new EmbeddedEvents({ database: store.database }));
  return { store, events, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

async function readAll(events: EmbeddedEvents): Promise<{ events: StreamEvent[]; damaged: Damage[] }> {
  const all = { events: [] as StreamEvent[], damaged: [] as Damage[] };
  for (let from = 0; ; ) {
    const page = await events.read("acme", "t", { from, until: undefined, limit: 1000 }, signal);
    all.events.push(...page.events);
    all.damaged.push(...page.damaged);
    if (page.next === from) return all;
    from = page.next;
  }
}

/** The offsets that are named as damaged. */
function named(damaged: readonly Damage[]): number[] {
  return damaged.flatMap(({ offset, count }) => Array.from({ length: count }, (_, i) => offset + i));
}

describe("damaged streams", () => {
  const count = 1_500;
  let folder: string;
  let whole: Buffer;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "micro-damage-"));
    await using first = await opened(join(folder, "whole"));
    // In batches of every size, so that chunks of one event and of many are there.
    for (let n = 0; n < count; ) {
      const batch = Array.from({ length: Math.min(1 + (n % 60), count - n) }, (_, i) => event(n + i));
      await Promise.all(batch.map((each) => first.events.publish("acme", "t", each, signal)));
      n += batch.length;
    }
  });
  before(async () => {
    whole = await readFile(join(folder, "whole", "micro.db"));
  });
  after(() => rm(folder, { recursive: true }));

  async function damaged(name: string, bytes: Buffer): Promise<string> {
    const dataDir = join(folder, name);
    await mkdir(dataDir);
    await writeFile(join(dataDir, "micro.db"), bytes);
    return dataDir;
  }

  it("name each of 1,000 events of which a bit has changed, and give all others (EV-04)", async () => {
    const random = new Random(7);
    const bytes = Buffer.from(whole);
    const hit = new Set<number>();
    while (hit.size < 1_000) {
      const n = random.below(count);
      // One whose text begins at the end of a page is not found.
      if (bytes.includes(`<event ${n}>`)) hit.add(n);
    }
    for (const n of hit) {
      // Not only once: copies of a page that was written again lie in pages that are free.
      for (let at = bytes.indexOf(`<event ${n}>`); at >= 0; at = bytes.indexOf(`<event ${n}>`, at + 1)) {
        const byte = at + random.below(8);
        bytes[byte] = (bytes[byte] ?? 0) ^ (1 << random.below(8));
      }
    }
    await using second = await opened(await damaged("payloads", bytes));
    const all = await readAll(second.events);
    assert.deepEqual(
      named(all.damaged),
      [...hit].toSorted((a, b) => a - b),
    );
    assert.ok(all.damaged.every(({ reason }) => reason === "checksum"));
    assert.ok(all.events.every(isUnaltered));
    assert.equal(all.events.length, count - 1_000);
    await checkGroup(second.events, hit);
  });

  /** A group gets all that is not damaged, and its dead letters name the rest. */
  async function checkGroup(events: EmbeddedEvents, hit: ReadonlySet<number>): Promise<void> {
    const options: ConsumeOptions = {
      topic: "t",
      group: "g",
      from: "earliest",
      autoAck: true,
      ackWaitMs: 60_000,
      retryLimit: -1,
      deadLetter: "t.dead",
      maxUnanswered: 1000,
    };
    const given: number[] = [];
    for await (const delivery of await events.consume("acme", options, signal)) {
      assert.ok(isUnaltered(delivery.event));
      given.push(delivery.event.offset);
      if (given.length === count - hit.size) break;
    }
    assert.deepEqual(
      given,
      Array.from({ length: count }, (_, n) => n).filter((n) => !hit.has(n)),
    );
    const range = { from: "earliest", until: undefined, limit: 10_000 } as const;
    const letters = (await events.read("acme", "t.dead", range, signal)).events;
    const last = Math.max(...given);
    assert.deepEqual(
      new Set(letters.map(({ metadata }) => metadata["micro-dead-reason"]?.replace(/:.*/, ""))),
      new Set(["damaged on disk"]),
    );
    const first = letters.map(({ metadata }) => Number(metadata["micro-dead-offset"]));
    for (const n of hit) if (n < last && !hit.has(n - 1)) assert.ok(first.includes(n), `no letter names ${n}`);
  }

  const flips = isNightly ? 1_000 : 15;
  it(`are refused, or name what is damaged, after each of ${flips} flips of any bit of the file (EV-04)`, {
    timeout: 280_000 + flips * 800,
  }, async (t) => {
    const seed = crashSeed();
    t.diagnostic(`MICRO_CRASH_SEED=${seed}`);
    const random = new Random(seed);
    for (let flip = 0; flip < flips; flip++) {
      const byte = random.below(whole.length);
      const bit = random.below(8);
      const bytes = Buffer.from(whole);
      bytes[byte] = (bytes[byte] ?? 0) ^ (1 << bit);
      const dataDir = await damaged(`flip-${flip}`, bytes);
      const outcome = await outcomeOf(dataDir);
      assert.equal(outcome, "", `bit ${bit} of byte ${byte}`);
      await rm(dataDir, { recursive: true });
    }
  });

  /** What is wrong with how damage was taken; "" for nothing. */
  async function outcomeOf(dataDir: string): Promise<string> {
    try {
      await using second = await opened(dataDir);
      const all = await readAll(second.events);
      if (!all.events.every(isUnaltered)) return "an altered event was given";
      const there = new Set([...all.events.map(({ offset }) => offset), ...named(all.damaged)]);
      const isWhole = Array.from({ length: count }, (_, n) => n).every((n) => there.has(n));
      // What the engine itself finds it tells the log when the server starts.
      return isWhole || (await second.store.database.check()).length > 0 ? "" : "events are silently gone";
    } catch (error) {
      return error instanceof MicroError ? "" : `${error}`;
    }
  }

  it("are all there when the numbers that say where they begin and end are damaged (EV-04)", async () => {
    const dataDir = await damaged("ends", whole);
    {
      await using store = await openEmbeddedStore({ dataDir });
      const sql = "UPDATE topics SET next_offset = 476, first_offset = 1200 WHERE name = CAST('t' AS BLOB)";
      await store.database.write([{ sql, params: [] }], signal);
    }
    await using second = await opened(dataDir);
    const all = await readAll(second.events);
    assert.deepEqual([all.damaged.length, all.events.length], [0, count]);
    assert.equal((await second.events.publish("acme", "t", event(count), signal)).offset, count);
  });

  it("lose only what was not acknowledged when the end of the log is cut off (EV-05)", {
    timeout: 280_000,
  }, async () => {
    const source = join(folder, "cut");
    const sizes: number[] = [];
    const before = 20;
    const last = 3;
    const file = (dir: string, name: string) => join(dir, name);
    const copy = join(folder, "cut-copy");
    await mkdir(copy);
    {
      await using first = await opened(source);
      // So that the file itself has all that is before the log.
      await first.events.publish("acme", "other", event(0), signal);
      for (let n = 0; n < before + last; n++) {
        await first.events.publish("acme", "t", event(n), signal);
        sizes.push((await stat(file(source, "micro.db-wal"))).size);
      }
      for (const name of ["micro.db", "micro.db-wal"]) await copyFile(file(source, name), file(copy, name));
    }
    const from = sizes[before - 1] ?? 0;
    const end = sizes.at(-1) ?? 0;
    const step = isNightly ? 61 : 4003;
    for (let cut = from; cut <= end; cut = cut < end ? Math.min(cut + step, end) : end + 1) {
      const dataDir = join(folder, `cut-${cut}`);
      await mkdir(dataDir);
      for (const name of ["micro.db", "micro.db-wal"]) await copyFile(file(copy, name), file(dataDir, name));
      await truncate(file(dataDir, "micro.db-wal"), cut);
      await using second = await opened(dataDir);
      const all = await readAll(second.events);
      assert.deepEqual(all.damaged, []);
      assert.ok(all.events.every(isUnaltered));
      const written = sizes.findLastIndex((size) => size <= cut) + 1;
      assert.ok(all.events.length >= written, `${all.events.length} of ${written} at ${cut}`);
      assert.deepEqual(
        all.events.map(({ offset }) => offset),
        [...all.events.keys()],
      );
      assert.equal((await second.events.publish("acme", "t", event(0), signal)).offset, all.events.length);
    }
  });
});
