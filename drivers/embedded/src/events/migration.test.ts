import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { it } from "node:test";
import { migrate } from "../sqlite/schema.ts";
import { openEmbeddedStore } from "../store.ts";
import { EmbeddedEvents } from "./events.ts";

const signal = new AbortController().signal;
/** With a row for each event. */
const oldVersion = 2;
const count = 700;

function fill(file: string): void {
  const database = new DatabaseSync(file);
  migrate(database, oldVersion);
  database.exec(`INSERT INTO topics (id, namespace, name, next_position) VALUES
    (1, CAST('acme' AS BLOB), CAST('t' AS BLOB), ${count + 2}), (2, CAST('acme' AS BLOB), CAST('empty' AS BLOB), 0)`);
  database.exec("BEGIN");
  const insert = database.prepare("INSERT INTO events VALUES (1, ?, ?, ?, ?, ?, ?)");
  for (let i = 0; i < count; i++) {
    const expiry = i === 5 ? Date.now() + 3_600_000 : null;
    // 3 had expired and was deleted.
    if (i !== 3) insert.run(i, `id-${i}`, 1_700_000_000_000 + i, '{"k":"v"}', Buffer.from(`text ${i}`), expiry);
  }
  database.exec("COMMIT");
  const group = database.prepare("INSERT INTO event_groups VALUES (1, CAST('g' AS BLOB), 10, ?, ?)");
  group.run("[[12,13],[15,15]]", Date.now());
  database.close();
}

it("moves events and groups of an older database to chunks, offsets, times and progress as they were", async () => {
  const dataDir = await mkdtemp(join(tmpdir(), "micro-events-old-"));
  try {
    fill(join(dataDir, "micro.db"));
    await using store = await openEmbeddedStore({ dataDir });
    await using events = new EmbeddedEvents({ database: store.database });
    const range = { from: "earliest", until: undefined, limit: 10_000 } as const;
    const page = await events.read("acme", "t", range, signal);
    const wanted = Array.from({ length: count }, (_, i) => i).filter((i) => i !== 3);
    assert.deepEqual(
      page.events.map(({ id, offset, timestamp, metadata, payload }) => [
        ...[id, offset, timestamp.getTime(), metadata["k"]],
        Buffer.from(payload).toString(),
      ]),
      wanted.map((i) => [`id-${i}`, i, 1_700_000_000_000 + i, "v", `text ${i}`]),
    );
    assert.deepEqual([page.damaged, page.end], [[], count + 2]);
    const [group] = await events.groups("acme", "t", signal);
    assert.deepEqual([group?.position, group?.lag], [10, count + 2 - 10 - 3]);
    const later = await events.read("acme", "t", { ...range, from: new Date(1_700_000_000_650), limit: 1 }, signal);
    assert.equal(later.events[0]?.offset, 650);
    const event = {
      id: undefined,
      timestamp: new Date(),
      metadata: {},
      payload: Buffer.from("new"),
      expiresAt: undefined,
    };
    assert.equal((await events.publish("acme", "t", event, signal)).offset, count + 2);
    assert.equal((await events.publish("acme", "empty", event, signal)).offset, 0);
  } finally {
    await rm(dataDir, { recursive: true });
  }
});
