import assert from "node:assert/strict";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { NewEvent } from "@microts/blocks/events";
import { until } from "../../../../testing/src/until.ts";
import { openEmbeddedStore } from "../store.ts";
import { EmbeddedEvents } from "./events.ts";

const skip = process.env["MICRO_NIGHTLY"] ? false : "in npm run test:nightly";
const signal = new AbortController().signal;

function event(bytes: number): NewEvent {
  const payload = Buffer.alloc(bytes, "x");
  return { id: undefined, timestamp: new Date(), metadata: {}, payload, expiresAt: undefined };
}

describe("streams that keep only so much", { skip }, () => {
  it("are cut while they are read without an error, and give the space back (EV-14)", {
    timeout: 280_000,
  }, async () => {
    const dataDir = await mkdtemp(join(tmpdir(), "micro-retention-"));
    try {
      await using store = await openEmbeddedStore({ dataDir });
      await using events = new EmbeddedEvents({ database: store.database, sweepMs: 200 });
      const limits = { age: { maxAgeMs: 1_000 }, bytes: { maxBytes: 1_000_000 }, count: { maxEvents: 500 } };
      for (const [topic, settings] of Object.entries(limits)) await events.configure("acme", topic, settings, signal);
      const over = performance.now() + 15_000;
      let published = 0;
      let read = 0;
      const publishers = Object.keys(limits).flatMap((topic) =>
        Array.from({ length: 8 }, async () => {
          for (; performance.now() < over; published++) await events.publish("acme", topic, event(2_000), signal);
        }),
      );
      const readers = Object.keys(limits).map(async (topic) => {
        for (let from = 0; performance.now() < over; ) {
          const page = await events.read("acme", topic, { from, until: undefined, limit: 200 }, signal);
          assert.deepEqual(page.damaged, []);
          // Offsets that are gone are skipped, and nothing else is.
          let next = page.events[0]?.offset ?? page.next;
          for (const { offset } of page.events) assert.equal(offset, next++);
          read += page.events.length;
          from = page.next === page.end ? 0 : page.next;
          // What is answered from memory lets nothing else happen in between.
          if (page.events.length === 0) await delay(1);
        }
      });
      await Promise.all([...publishers, ...readers]);
      assert.ok(published > 1_000 && read > published, `${published} published, ${read} read`);
      const kept = async () => {
        const topics = await events.topics("acme", signal);
        return new Map(topics.map(({ topic, first, end, bytes }) => [topic, { events: end - first, bytes }]));
      };
      await until(kept, (topics) => {
        const [age, bytes, count] = ["age", "bytes", "count"].map((topic) => topics.get(topic));
        return age?.events === 0 && (bytes?.bytes ?? 0) <= 1_000_000 && count?.events === 500;
      });
    } finally {
      await rm(dataDir, { recursive: true });
    }
  });

  it("shrink their file when most of them is deleted (EV-14)", { timeout: 280_000 }, async () => {
    const dataDir = await mkdtemp(join(tmpdir(), "micro-retention-"));
    try {
      await using store = await openEmbeddedStore({ dataDir });
      await using events = new EmbeddedEvents({ database: store.database });
      for (let round = 0; round < 100; round++)
        await Promise.all(Array.from({ length: 10 }, () => events.publish("acme", "t", event(100_000), signal)));
      const file = join(dataDir, "micro.db");
      const size = async () => (await stat(file)).size;
      const [before] = await events.topics("acme", signal);
      await until(size, (bytes) => bytes >= (before?.bytes ?? 0), 60_000);
      const largest = await size();
      await events.configure("acme", "t", { maxEvents: 5 }, signal);
      // The keeper works after writes: the next ones set it off.
      const deleted = (before?.bytes ?? 0) - 500_000;
      await until(
        async () => {
          await events.publish("acme", "t", event(1), signal);
          return largest - (await size());
        },
        (freed) => freed >= 0.9 * deleted,
        60_000,
      );
    } finally {
      await rm(dataDir, { recursive: true });
    }
  });
});
