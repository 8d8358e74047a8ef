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

  it("lets others have the event loop while the callers of a batch are answered, in the order in which they asked", async () => {
    const thread = await DatabaseThread.start({ file: ":memory:", role: "writer", maxResultBytes: 1e6 });
    const lane = new Lane({ kind: "write", thread });
    let turn = 0;
    let ticking = setImmediate(function tick() {
      turn++;
      ticking = setImmediate(tick);
    });
    const answered: number[] = [];
    const inTurn = new Map<number, number>();
    const caller = async (number: number) => {
      await lane.run([{ sql: "SELECT 1", params: [] }], signal);
      answered.push(number);
      inTurn.set(turn, (inTurn.get(turn) ?? 0) + 1);
    };
    const callers = Array.from({ length: 100 }, (_, number) => caller(number));
    await Promise.all(callers);
    await lane.close();
    clearImmediate(ticking);
    await thread.close();
    const most = Math.max(...inTurn.values());
    assert.ok(most <= 8, `${most} callers answered in one turn of the loop`);
    assert.deepEqual(
      answered,
      answered.toSorted((a, b) => a - b),
    );
    assert.equal(answered.length, 100);
  });

  it("answers all callers of a batch before it is closed", async () => {
    const thread = await DatabaseThread.start({ file: ":memory:", role: "writer", maxResultBytes: 1e6 });
    const lane = new Lane({ kind: "write", thread });
    let answered = 0;
    for (let caller = 0; caller < 100; caller++)
      void lane.run([{ sql: "SELECT 1", params: [] }], signal).then(() => answered++);
    await lane.close();
    const whenClosed = answered;
    await thread.close();
    assert.equal(whenClosed, 100);
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
