import assert from "node:assert/strict";
import { mkdtemp, open, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { lineLog, MicroError } from "@microts/core";
import { until } from "../../../../testing/src/until.ts";
import { type DatabaseOptions, EmbeddedDatabase } from "./database.ts";
import type { Statement } from "./protocol.ts";

const signal = new AbortController().signal;
const names = (database: EmbeddedDatabase) =>
  database.read("SELECT CAST(name AS TEXT) FROM tables ORDER BY name", [], signal);

function insert(name: string): Statement {
  return { sql: "INSERT INTO tables (database, name) VALUES (CAST('d' AS BLOB), CAST(? AS BLOB))", params: [name] };
}

/** About as many bytes of text as said, in one row. */
function insertLarge(name: string, bytes: number): Statement {
  return { ...insert(name), params: [name + "x".repeat(bytes)] };
}

/** Runs with a database in a directory of its own. */
async function withDatabase(
  run: (database: EmbeddedDatabase, dataDir: string) => Promise<void>,
  options: DatabaseOptions = {},
): Promise<void> {
  const dataDir = await mkdtemp(join(tmpdir(), "micro-database-"));
  try {
    await using database = await EmbeddedDatabase.open({ ...options, dataDir });
    await run(database, dataDir);
  } finally {
    await rm(dataDir, { recursive: true });
  }
}

async function sizeOf(dataDir: string, file: string): Promise<number> {
  return (await stat(join(dataDir, file))).size;
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

  it("lets a condition that yields no row end its job alone, without effect", async () => {
    await using database = await EmbeddedDatabase.open();
    const isThere = (name: string) => ({
      sql: "SELECT 1 FROM tables WHERE name = CAST(? AS BLOB)",
      params: [name],
      isCondition: true,
    });
    const results = await Promise.all([
      database.writeIf([isThere("a"), insert("b")], signal),
      database.writeIf([insert("a")], signal),
      database.writeIf([isThere("a"), insert("c")], signal),
    ]);
    assert.deepEqual(
      results.map((rows) => rows?.length),
      [undefined, 1, 2],
    );
    // The same again, with one that has written before its condition.
    const late = await Promise.all([
      database.writeIf([insert("d"), isThere("nobody"), insert("e")], signal),
      database.writeIf([isThere("a"), insert("f")], signal),
    ]);
    assert.deepEqual(
      late.map((rows) => rows?.length),
      [undefined, 2],
    );
    assert.deepEqual(await names(database), [["a"], ["c"], ["f"]]);
  });

  it("ends inserts of several jobs in a row with one statement, before any other and within the transaction", async () => {
    await using database = await EmbeddedDatabase.open();
    const endedBy = "INSERT INTO topics (namespace, name) VALUES (CAST(? AS BLOB), CAST(? AS BLOB))";
    const begin = (name: string): Statement => ({ ...insert(name), isInsert: true, endedBy });
    const ends = () =>
      database.read("SELECT CAST(namespace AS TEXT), CAST(name AS TEXT) FROM topics ORDER BY id", [], signal);
    const count: Statement = { sql: "SELECT count(*) FROM topics", params: [] };
    const jobs = [[begin("a")], [begin("b"), begin("c")], [count], [begin("d")], [insert("e")], [begin("f")]];
    const results = await Promise.all(jobs.map((job) => database.write(job, signal)));
    assert.deepEqual(results, [[[[1]]], [[[2]], [[3]]], [[[1]]], [[[4]]], [[]], [[[6]]]]);
    const first = ["1.0 3.0", "4.0 4.0", "6.0 6.0"];
    assert.deepEqual(
      (await ends()).map((row) => row.join(" ")),
      first,
    );
    // Those of a job that fails are undone with it.
    const more = [[begin("g")], [begin("h"), insert("a")], [begin("i")], [begin("j"), begin("a")]];
    await Promise.allSettled(more.map((job) => database.write(job, signal)));
    assert.deepEqual(
      (await ends()).map((row) => row.join(" ")),
      [...first, "7.0 7.0", "8.0 8.0"],
    );
    assert.equal((await names(database)).length, 8);
  });

  it("does jobs in the order in which they were asked for", async () => {
    await using database = await EmbeddedDatabase.open();
    const order: number[] = [];
    await Promise.all(
      Array.from({ length: 3_000 }, async (_, index) => {
        const [rows] = await database.write(
          [{ ...insert(String(index)), sql: `${insert("").sql} RETURNING id` }],
          signal,
        );
        order.push(Number(rows?.[0]?.[0]));
      }),
    );
    assert.deepEqual(
      order,
      Array.from({ length: 3_000 }, (_, index) => index + 1),
    );
  });

  it("puts what was asked for in one turn into one transaction", async () => {
    await withDatabase(async (database, dataDir) => {
      const count = 5_000;
      const before = await sizeOf(dataDir, "micro.db-wal");
      await Promise.all(Array.from({ length: count }, (_, index) => database.write([insert(String(index))], signal)));
      // One transaction each would write at least one page each.
      assert.ok((await sizeOf(dataDir, "micro.db-wal")) - before < (count * 4096) / 2);
    });
  });

  it("reads while a write takes its time, and what was there before it", async () => {
    await withDatabase(async (database) => {
      await database.write([insert("before")], signal);
      let isWritten = false;
      const slow = database
        .write(
          [
            insert("slow"),
            {
              sql: "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 3000000) SELECT max(i) FROM n",
              params: [],
            },
          ],
          signal,
        )
        .then(() => {
          isWritten = true;
        });
      for (let reads = 0; reads < 20; reads++) assert.deepEqual(await names(database), [["before"]]);
      assert.equal(isWritten, false);
      await slow;
      assert.deepEqual(await names(database), [["before"], ["slow"]]);
    });
  });

  it("shows several queries one state", async () => {
    await withDatabase(async (database) => {
      const count = { sql: "SELECT count(*) FROM tables", params: [] };
      const slow = {
        sql: "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 300000) SELECT max(i) FROM n",
        params: [],
      };
      const reading = database.readAll([count, slow, count], signal);
      for (let index = 0; index < 20; index++) await database.write([insert(String(index))], signal);
      const [first, , last] = await reading;
      assert.deepEqual(first, last);
    });
  });

  it("lets no query harm another of its batch", async () => {
    await withDatabase(async (database) => {
      await database.write([insert("a"), insert("b")], signal);
      const outcomes = await Promise.allSettled([
        database.readOne("SELECT CAST(name AS TEXT) FROM tables WHERE name = CAST(? AS BLOB)", ["a"], signal),
        database.read("SELECT abs(-9223372036854775808)", [], signal),
        database.readOne("SELECT zeroblob(?)", [65 * 1024 * 1024], signal),
        database.readOne("SELECT name FROM tables WHERE name = ?", ["c"], signal),
        names(database),
      ]);
      const found = outcomes.map((outcome) => (outcome.status === "fulfilled" ? outcome.value : "failed"));
      assert.deepEqual(found, [["a"], "failed", "failed", undefined, [["a"], ["b"]]]);
      await database.write([insert("c")], signal);
      assert.deepEqual(await names(database), [["a"], ["b"], ["c"]]);
    });
  });

  it("scans more than memory should hold, all of one state, while others write", async () => {
    await withDatabase(async (database) => {
      await Promise.all(
        Array.from({ length: 300 }, (_, index) => database.write([insertLarge(`${index}.`, 10_000)], signal)),
      );
      const statement = { sql: "SELECT CAST(name AS TEXT) FROM tables", params: [] };
      let rows = 0;
      let parts = 0;
      for await (const part of database.scan(statement, signal)) {
        parts++;
        rows += part.length;
        await database.write(
          [insertLarge(`later ${parts}.`, 10_000), { sql: "DELETE FROM tables WHERE id < 50", params: [] }],
          signal,
        );
      }
      assert.equal(rows, 300);
      assert.ok(parts > 5);
    });
  });

  it("refuses a fifth scan, and ends those that run when it is closed", async () => {
    await withDatabase(async (database) => {
      await Promise.all(
        Array.from({ length: 100 }, (_, index) => database.write([insertLarge(`${index}.`, 10_000)], signal)),
      );
      const scan = () => database.scan({ sql: "SELECT CAST(name AS TEXT) FROM tables", params: [] }, signal);
      const scans = Array.from({ length: 4 }, scan);
      await Promise.all(scans.map((each) => each.next()));
      await assert.rejects(scan().next(), fails(503, /4 scans are running/));
      await scans[0]?.return();
      const fresh = scan();
      await fresh.next();
      await database[Symbol.asyncDispose]();
      await assert.rejects(fresh.next(), fails(503, /./));
    });
  });

  it("begins its log anew while it is written to without a pause", async () => {
    await withDatabase(async (database, dataDir) => {
      let written = 0;
      const write = async () => {
        const jobs = Array.from({ length: 100 }, () => insertLarge(`${written++}.`, 10_000));
        await Promise.all(jobs.map((job) => database.write([job], signal)));
        return sizeOf(dataDir, "micro.db-wal");
      };
      // Each is in a table and in its index.
      await until(write, (log) => log < (written * 20_000) / 2 && written > 4_000, 30_000, 0);
    });
  });

  it("gives space back to the disk after much was deleted", async () => {
    await withDatabase(async (database, dataDir) => {
      await Promise.all(
        Array.from({ length: 200 }, (_, index) => database.write([insertLarge(`${index}.`, 100_000)], signal)),
      );
      await until(
        () => sizeOf(dataDir, "micro.db"),
        (size) => size > 20_000_000,
      );
      await database.write([{ sql: "DELETE FROM tables", params: [] }], signal);
      await until(
        () => sizeOf(dataDir, "micro.db"),
        (size) => size < 5_000_000,
      );
    });
  });

  it("tells the log what is damaged, soon after the start", async () => {
    const dataDir = await mkdtemp(join(tmpdir(), "micro-database-"));
    {
      await using database = await EmbeddedDatabase.open({ dataDir });
      await Promise.all(
        Array.from({ length: 500 }, (_, index) => database.write([insertLarge(`${index}.`, 1_000)], signal)),
      );
      assert.deepEqual(await database.check(), []);
    }
    const path = join(dataDir, "micro.db");
    await using file = await open(path, "r+");
    const middle = Math.floor((await file.stat()).size / 2 / 4096) * 4096;
    await file.write(Buffer.alloc(2_000, 0xff), 0, 2_000, middle);
    const lines: string[] = [];
    {
      await using _ = await EmbeddedDatabase.open({ dataDir, log: lineLog((line) => lines.push(line)) });
      await until(
        async () => lines.join(""),
        (text) => text.includes(`${path} is damaged`),
      );
    }
    await rm(dataDir, { recursive: true });
  });

  it("answers 507 and writes nothing when the disk is full", async () => {
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
    for (const { reason } of refused) assert.ok(fails(507, /full/)(reason));
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
