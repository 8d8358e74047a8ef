import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Lane } from "./lane.ts";
import { DatabaseThread } from "./thread.ts";

const signal = new AbortController().signal;
/** Takes some milliseconds, as a slow disk does. */
const slow = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 8000) SELECT count(*) FROM n";

describe("Lane", () => {
  it("lets callers who come back a moment too late share a batch with the others", async () => {
    const thread = await DatabaseThread.start({ file: ":memory:", role: "writer", maxResultBytes: 1e6 });
    let batches = 0;
    const lane = new Lane({ kind: "write", thread, onDone: () => batches++ });
    const caller = async () => {
      for (let turn = 0; turn < 20; turn++) await lane.run([{ sql: slow, params: [] }], signal);
    };
    const callers = [1, 2, 3, 4].map(caller);
    // The first four are on their way by then.
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    await Promise.all([...callers, ...[1, 2, 3, 4].map(caller)]);
    await lane.close();
    await thread.close();
    assert.ok(batches < 30, `${batches} batches for 20 turns`);
  });
});
