import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";
import { openEmbeddedStore } from "../store.ts";
import { migrate } from "./schema.ts";

const signal = new AbortController().signal;

/** Records as version 2 of the schema had them. */
const records = `
  INSERT INTO tables VALUES (1, CAST('acme' AS BLOB), CAST('posts' AS BLOB)), (2, CAST('acme' AS BLOB), CAST('tags' AS BLOB));
  INSERT INTO records VALUES (1, 1, CAST('a' AS BLOB), CAST('one' AS BLOB), '{"owner":"jane"}', NULL),
    (2, 2, CAST('a' AS BLOB), CAST('two' AS BLOB), NULL, 4102444800000), (5, 1, CAST('b' AS BLOB), x'00ff', NULL, NULL);`;

describe("a file of an older version", () => {
  it("has all its records once it was opened, and is worked with (ST-11)", async () => {
    const dataDir = await mkdtemp(join(tmpdir(), "micro-schema-"));
    const old = new DatabaseSync(join(dataDir, "micro.db"));
    migrate(old, 2);
    old.exec(records);
    old.close();
    for (const _ of ["first time", "again"]) {
      await using store = await openEmbeddedStore({ dataDir });
      const posts = { database: "acme", table: "posts" };
      const all = { prefix: "", suffix: "", limit: 0, offset: 0, order: "asc" } as const;
      const [a, b] = await store.list(posts, all, signal);
      assert.deepEqual([a?.key, Buffer.from(a?.value ?? []).toString(), a?.metadata], ["a", "one", { owner: "jane" }]);
      assert.deepEqual([b?.key, [...(b?.value ?? [])]], ["b", [0, 255]]);
      const tagged = await store.read({ ...posts, table: "tags" }, "a", signal);
      assert.equal(tagged?.expiresAt?.getUTCFullYear(), 2100);
      assert.deepEqual(await store.tables("acme", signal), ["posts", "tags"]);
      assert.ok(
        (await store.write(
          { ...posts, table: "tags" },
          { ...tagged, key: "new", value: Buffer.from(""), metadata: {}, expiresAt: undefined },
          signal,
        )) > 5,
      );
    }
    await rm(dataDir, { recursive: true });
  });
});
