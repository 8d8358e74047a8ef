import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { promisify } from "node:util";
import type { NewEvent } from "@microts/blocks/events";
import type { MicroError } from "@microts/core";
import { EmbeddedEvents, openEmbeddedStore } from "@microts/driver-embedded";
import { installed } from "../referees/referee.ts";
import { until } from "../until.ts";
import { EventsHistory, type EventsNote } from "./events-history.ts";
import { LoopDisk } from "./loop-disk.ts";
import { CrashProgram } from "./program.ts";
import { crashRounds } from "./rounds.ts";
import { crashSeed } from "./seed.ts";

const strace = installed("strace", "strace");

const run = promisify(execFile);
const signal = new AbortController().signal;
const all = { from: "earliest", until: undefined, limit: 10_000 } as const;
const rounds = process.env["MICRO_NIGHTLY"] ? 40 : 20;
/** At a time, each with its own disk. */
const lanes = 2;

function event(bytes: number): NewEvent {
  const payload = Buffer.alloc(bytes, "x");
  return { id: undefined, timestamp: new Date(), metadata: {}, payload, expiresAt: undefined };
}

async function opened(dataDir: string) {
  const stack = new AsyncDisposableStack();
  const store = stack.use(await openEmbeddedStore({ dataDir }));
  const events = stack.use(new EmbeddedEvents({ database: store.database }));
  return { events, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

async function offsets(events: EmbeddedEvents): Promise<number[]> {
  const found: number[] = [];
  for (let from = 0; ; ) {
    const page = await events.read("acme", "t", { ...all, from }, signal);
    assert.deepEqual(page.damaged, []);
    found.push(...page.events.map(({ offset }) => offset));
    if (page.next === from) return found;
    from = page.next;
  }
}

describe("streams on a disk that fails", () => {
  let lacks: string | undefined;
  before(async () => {
    lacks = await LoopDisk.lacks();
  });

  it(`have all they acknowledged when the power is cut, ${rounds} times over (EV-02)`, {
    timeout: 280_000,
  }, async (t) => {
    if (lacks !== undefined) return t.skip(lacks);
    const seed = crashSeed();
    t.diagnostic(`MICRO_CRASH_SEED=${seed}`);
    await using program = await CrashProgram.of(new URL("events-writer.ts", import.meta.url));
    const histories = await Promise.all(
      Array.from({ length: lanes }, async (_, lane) => {
        await using disk = await LoopDisk.of(64);
        const history = new EventsHistory();
        await crashRounds<EventsNote>({
          program: program.file,
          dataDir: join(disk.path, "data"),
          rounds: rounds / lanes,
          seed: seed + lane,
          mostAcknowledged: 500,
          crash: (running) => disk.failUnder(running),
          check: (notes) => history.take(notes),
        });
        return history.acknowledged;
      }),
    );
    const acknowledged = histories.reduce((sum, each) => sum + each, 0);
    t.diagnostic(`${acknowledged} events were acknowledged`);
    assert.ok(acknowledged > rounds);
  });

  it("refuse events while the disk is full, lose none, and go on when there is space (EV-12)", async (t) => {
    if (lacks !== undefined) return t.skip(lacks);
    await using disk = await LoopDisk.of(8);
    const filler = join(disk.path, "filler");
    await writeFile(filler, Buffer.alloc(3 * 1024 * 1024));
    const dataDir = join(disk.path, "data");
    const acknowledged: number[] = [];
    const publish = async (events: EmbeddedEvents) =>
      acknowledged.push((await events.publish("acme", "t", event(20_000), signal)).offset);
    {
      await using first = await opened(dataDir);
      const full = async () => {
        for (;;) await publish(first.events);
      };
      await assert.rejects(full(), { code: 507, message: /disk.*full/ });
      await assert.rejects(publish(first.events), { code: 507 });
      assert.deepEqual(await offsets(first.events), acknowledged);
      await rm(filler);
      for (let i = 0; i < 20; i++) await publish(first.events);
      assert.deepEqual(await offsets(first.events), acknowledged);
    }
    await using second = await opened(dataDir);
    assert.deepEqual(acknowledged, [...acknowledged.keys()]);
    assert.deepEqual(await offsets(second.events), acknowledged);
  });

  it("make room by a topic that is deleted, for which a full disk needs as much as the database's log is long", async (t) => {
    if (lacks !== undefined) return t.skip(lacks);
    await using disk = await LoopDisk.of(8);
    const filler = join(disk.path, "filler");
    await writeFile(filler, Buffer.alloc(3 * 1024 * 1024));
    await using opening = await opened(join(disk.path, "data"));
    const { events } = opening;
    const publish = (topic: string, bytes: number) => events.publish("acme", topic, event(bytes), signal);
    await publish("t", 100);
    const filled = async (bytes: number) => {
      for (;;) await publish("large", bytes);
    };
    for (const bytes of [20_000, 1_000, 10]) await assert.rejects(filled(bytes), { code: 507 });
    // The log may just have begun anew, and then has room for it.
    const early = await events.deleteTopic("acme", "large", signal).catch((error: MicroError) => error);
    const names = async () => (await events.topics("acme", signal)).map(({ topic }) => topic);
    assert.deepEqual([early?.code ?? 507, await names()], [507, early === undefined ? ["t"] : ["large", "t"]]);
    await rm(filler);
    if (early !== undefined) await events.deleteTopic("acme", "large", signal);
    assert.deepEqual(await names(), ["t"]);
    const isPublished = () =>
      publish("t", 2_000_000).then(
        () => true,
        () => false,
      );
    await until(isPublished, (is) => is);
    assert.deepEqual(await offsets(events), [0, 1]);
  });

  it("never take a failed sync for a success (EV-13)", async (t) => {
    if (lacks !== undefined) return t.skip(lacks);
    await using disk = await LoopDisk.of(32);
    const dataDir = join(disk.path, "data");
    const acknowledged: number[] = [];
    {
      await using first = await opened(dataDir);
      for (let i = 0; i < 50; i++)
        acknowledged.push((await first.events.publish("acme", "t", event(500), signal)).offset);
      await disk.cutPower();
      for (let i = 0; i < 5; i++)
        await assert.rejects(
          first.events.publish("acme", "t", event(500), signal),
          ({ code }) => code === 503 || code === 500,
        );
    }
    await disk.restore();
    await using second = await opened(dataDir);
    assert.deepEqual((await offsets(second.events)).slice(0, acknowledged.length), acknowledged);
    await second.events.publish("acme", "t", event(500), signal);
  });

  it("sync the disk before each acknowledgement (EV-15)", { skip: strace.skip }, async () => {
    const folder = await mkdtemp(join(tmpdir(), "micro-strace-"));
    try {
      const trace = join(folder, "trace");
      const publisher = new URL("events-publisher.ts", import.meta.url);
      const program = ["-f", "-qq", "-e", "trace=fsync,fdatasync,write", "-o", trace, process.execPath];
      await run(strace.path, [...program, publisher.pathname, join(folder, "data")]);
      const lines = (await readFile(trace, "utf8")).split("\n");
      let synced = false;
      let acknowledged = 0;
      for (const line of lines) {
        if (/f(data)?sync(\(| resumed).*= 0$/.test(line)) synced = true;
        if (!/write\(1, "acknowledged/.test(line)) continue;
        assert.ok(synced, `acknowledgement ${acknowledged} has no sync before it`);
        synced = false;
        acknowledged++;
      }
      assert.equal(acknowledged, 100);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
