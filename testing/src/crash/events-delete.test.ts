import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { EmbeddedEvents, openEmbeddedStore } from "@microts/driver-embedded";
import { Child } from "../child.ts";
import { until } from "../until.ts";
import { CrashProgram } from "./program.ts";

const signal = new AbortController().signal;
const rounds = process.env["MICRO_NIGHTLY"] ? 40 : 3;
const events = 120;
const chunksSql = "SELECT COUNT(*) FROM event_chunks";

async function opened(dataDir: string) {
  const stack = new AsyncDisposableStack();
  const { database } = stack.use(await openEmbeddedStore({ dataDir }));
  const driver = stack.use(new EmbeddedEvents({ database, sweepMs: 50 }));
  const publish = (topic: string, bytes: number) => {
    const payload = Buffer.alloc(bytes, "x");
    return driver.publish(
      "acme",
      topic,
      { id: undefined, timestamp: new Date(), metadata: {}, payload, expiresAt: undefined },
      signal,
    );
  };
  const chunks = async () => Number((await database.read(chunksSql, [], signal))[0]?.[0]);
  return { driver, publish, chunks, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

describe("a topic that is deleted", () => {
  it(`is there whole or not at all when the server is killed meanwhile, ${rounds} times over, and its space is freed`, {
    timeout: 240_000,
  }, async (t) => {
    await using program = await CrashProgram.of(new URL("events-deleter.ts", import.meta.url));
    const dataDir = await mkdtemp(join(tmpdir(), "micro-events-delete-"));
    t.after(() => rm(dataDir, { recursive: true, force: true }));
    let deleted = 0;
    for (let round = 0; round < rounds; round++) {
      {
        await using first = await opened(dataDir);
        const { end = 0 } = (await first.driver.topics("acme", signal)).find(({ topic }) => topic === "large") ?? {};
        await Promise.all(Array.from({ length: events - end }, () => first.publish("large", 250_000)));
        if (round === 0) await first.publish("other", 10);
      }
      await using child = new Child(program.file, [dataDir], { env: {}, cwd: dataDir });
      await child.saying(/deleting/);
      // From before the deletion to amid the freeing.
      await (round % 2 === 0 ? delay(round * 2) : child.saying(/deleted/));
      await child.end("SIGKILL");
      await using after = await opened(dataDir);
      const topics = await after.driver.topics("acme", signal);
      const large = topics.find(({ topic }) => topic === "large");
      const {
        events: read,
        damaged,
        end,
      } = await after.driver.read("acme", "large", { from: 0, until: undefined, limit: events }, signal);
      assert.deepEqual(damaged, []);
      assert.equal(end, large === undefined ? 0 : events);
      assert.equal(read.length > 0, large !== undefined);
      if (child.stdout.includes("deleted")) assert.equal(large, undefined);
      if (large !== undefined) continue;
      deleted++;
      await until(after.chunks, (left) => left === 1);
      assert.deepEqual(
        (await after.driver.topics("acme", signal)).map(({ topic, end: next }) => [topic, next]),
        [["other", 1]],
      );
    }
    assert.ok(deleted > 0);
  });
});
