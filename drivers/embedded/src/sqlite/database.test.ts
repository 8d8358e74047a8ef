import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { MicroError } from "@microts/core";
import { EmbeddedDatabase } from "./database.ts";
import type { Statement } from "./protocol.ts";

const signal = new AbortController().signal;
const names = (database: EmbeddedDatabase) =>
  database.read("SELECT CAST(name AS TEXT) FROM tables ORDER BY name", [], signal);

function insert(name: string): Statement {
  return { sql: "INSERT INTO tables (database, name) VALUES (CAST('d' AS BLOB), CAST(? AS BLOB))", params: [name] };
}

function fails(code: number, text: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof MicroError, String(error));
    assert.equal(error.code, code, error.detail);
    assert.match(error.detail, text);
    return true;
  };
}

describe("EmbeddedDatabase", () => {
  it("does a job's statements together or not at all, and lets no job harm another of its batch", async () => {
    await using database = await EmbeddedDatabase.open();
    const [a, b, c] = await Promise.allSettled([
      database.write([insert("a")], signal),
      database.write([insert("b"), insert("a")], signal),
      database.write([insert("c")], signal),
    ]);
    assert.deepEqual([a?.status, b?.status, c?.status], ["fulfilled", "rejected", "fulfilled"]);
    assert.deepEqual(await names(database), [["a"], ["c"]]);
  });

  it("puts what was asked for in one turn into one transaction", async () => {
    const dataDir = await mkdtemp(join(tmpdir(), "micro-database-"));
    {
      await using database = await EmbeddedDatabase.open({ dataDir });
      const count = 5_000;
      const frames = async () => Number((await database.read("PRAGMA wal_checkpoint", [], signal))[0]?.[1]);
      const before = await frames();
      await Promise.all(Array.from({ length: count }, (_, index) => database.write([insert(String(index))], signal)));
      // One transaction each would write at least one page each.
      assert.ok((await frames()) - before < count / 2);
    }
    await rm(dataDir, { recursive: true });
  });

  it("answers 503 and writes nothing when the disk is full", async () => {
    await using database = await EmbeddedDatabase.open();
    await database.write([insert("before")], signal);
    const [pages] = await database.read("PRAGMA page_count", [], signal);
    await database.read(`PRAGMA max_page_count = ${Number(pages?.[0]) + 2}`, [], signal);
    const none = database.write([{ sql: "DELETE FROM tables WHERE id < 0", params: [] }], signal);
    const large = Array.from({ length: 20 }, (_, index) =>
      database.write([insert(`${index}${"x".repeat(2_000)}`)], signal),
    );
    const settled = await Promise.allSettled(large);
    const refused = settled.filter((each) => each.status === "rejected");
    assert.ok(refused.length > 0);
    await none;
    for (const { reason } of refused) assert.ok(fails(503, /full/)(reason));
    assert.equal((await names(database)).length, 1 + large.length - refused.length);
  });

  it("refuses a result that memory should not hold", async () => {
    await using database = await EmbeddedDatabase.open();
    const sql =
      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100) SELECT zeroblob(1048576) FROM n";
    await assert.rejects(database.read(sql, [], signal), fails(413, /limit and offset/));
  });

  it("undoes what was asked for when the signal aborts in the same turn", async () => {
    await using database = await EmbeddedDatabase.open();
    const abort = new AbortController();
    const aborted = database.write([insert("a")], abort.signal);
    const other = database.write([insert("b")], signal);
    abort.abort();
    await assert.rejects(aborted, { name: "AbortError" });
    await other;
    await assert.rejects(database.write([insert("c")], abort.signal), { name: "AbortError" });
    assert.deepEqual(await names(database), [["b"]]);
  });

  it("refuses callers instead of filling memory when the disk can't keep up", async () => {
    await using database = await EmbeddedDatabase.open();
    const settled = await Promise.allSettled(
      Array.from({ length: 20_100 }, (_, index) => database.write([insert(String(index))], signal)),
    );
    const refused = settled.filter((each) => each.status === "rejected");
    assert.equal(refused.length, 100);
    assert.ok(refused.every(({ reason }) => fails(503, /try again/)(reason)));
  });

  it("says that it is closed to who comes later", async () => {
    const database = await EmbeddedDatabase.open();
    await database[Symbol.asyncDispose]();
    await assert.rejects(names(database), fails(503, /closed/));
    await database[Symbol.asyncDispose]();
  });
});
