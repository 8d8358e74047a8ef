import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { until } from "../../../../testing/src/until.ts";
import { EmbeddedDatabase } from "./database.ts";

const signal = new AbortController().signal;

/** How many threads this process has besides its own. */
async function threads(): Promise<number> {
  const { workers } = process.report.getReport() as { workers: unknown[] };
  return workers.length;
}

it("ends the keeper's thread when it has nothing to do, and starts it again for the next work", async () => {
  const dataDir = await mkdtemp(join(tmpdir(), "micro-keeper-"));
  try {
    await using database = await EmbeddedDatabase.open({ dataDir });
    await database.write([{ sql: "DELETE FROM tables", params: [] }], signal);
    await until(threads, (count) => count === 3);
    await until(threads, (count) => count === 2);
    assert.deepEqual(await database.check(), []);
    assert.equal(await threads(), 3);
  } finally {
    await rm(dataDir, { recursive: true });
  }
  assert.equal(await threads(), 0);
});
