import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { describe, it } from "node:test";
import { promisify } from "node:util";
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

  it("keeps the process alive while a batch waits for others", async () => {
    const program = `
      import { Lane } from ${JSON.stringify(new URL("lane.ts", import.meta.url).href)};
      import { DatabaseThread } from ${JSON.stringify(new URL("thread.ts", import.meta.url).href)};
      const thread = await DatabaseThread.start({ file: ":memory:", role: "writer", maxResultBytes: 1e6 });
      const lane = new Lane({ kind: "write", thread });
      const run = () => lane.run([{ sql: ${JSON.stringify(slow)}, params: [] }], new AbortController().signal);
      await Promise.all([run(), run(), run(), run()]);
      // Nobody else comes.
      await run();
      await lane.close();
      await thread.close();
      console.log("done");`;
    const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", program]);
    assert.equal(stdout, "done\n");
  });
});
