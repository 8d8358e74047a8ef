import assert from "node:assert/strict";
import { cp, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type CoreServer, serveCore } from "@microts/testing";
import { type CommandLine, commandLine } from "../../../testing/src/command-line.ts";
import { checkSnapshot, readSnapshot, writeSnapshot } from "./store/snapshot-file.ts";

describe("micro store", () => {
  let server: CoreServer;
  let micro: CommandLine;
  let folder: string;
  before(async () => {
    server = await serveCore();
    micro = commandLine(server);
    folder = await mkdtemp(join(tmpdir(), "micro-store-command-"));
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  const says = async (...args: string[]) => {
    const { code, stdout, stderr } = await micro.run(["store", ...args]);
    assert.equal(code, 0, stderr);
    return stdout;
  };
  const fails = async (args: readonly string[], text: RegExp) => {
    const { code, stderr } = await micro.run(["store", ...args]);
    assert.equal(code, 1, stderr);
    assert.match(stderr, text);
  };
  const fill = async (database: string, table: string, values: Record<string, string>) => {
    for (const [key, value] of Object.entries(values))
      await says("write", "--database", database, "--table", table, key, value);
  };
  const contents = async (database: string, table: string) => {
    const place = ["--database", database, "--table", table];
    const records: { key: string; value: string }[] = JSON.parse(
      await says("read", "--prefix", ...place, "--output", "json"),
    );
    return Object.fromEntries(records.map(({ key, value }) => [key, value]));
  };

  it("counts records and shows changes as they are made", async () => {
    await using live = micro.start(["store", "watch", "users/", "--database", "w"]);
    // The watch is on once it tells one of the changes.
    for (let turn = 0; !/users\/a/.test(live.stdout); turn++) await fill("w", "micro", { "users/a": `${turn}` });
    await fill("w", "micro", { "groups/a": "x", "users/b": "2" });
    await says("delete", "--database", "w", "users/b");
    await live.saying(/\d+\tusers\/b\t2\n\d+\tusers\/b\t\(gone\)\n/);
    await live.end("SIGINT");
    assert.doesNotMatch(live.stdout, /groups/);
    assert.equal(await says("count", "--database", "w"), "2\n");
    assert.equal(await says("count", "--database", "w", "users/"), "1\n");
    assert.equal(await says("count", "--database", "w", "--output", "json", "nobody/"), "0\n");
  });

  it("writes and deletes only what is still as it was read", async () => {
    const place = ["--database", "cas"];
    const write = async (...args: string[]) =>
      JSON.parse(await says("write", ...place, "--output", "json", ...args)).revision;
    const first = await write("--if_revision", "0", "lock", "me");
    const [read] = JSON.parse(await says("read", ...place, "--output", "json", "lock"));
    assert.deepEqual(read, { key: "lock", value: "me", revision: first });
    await fails(["write", ...place, "--if_revision", "0", "lock", "you"], /^"lock" changed meanwhile/);
    const second = await write("--if_revision", String(first), "lock", "you");
    await fails(["delete", ...place, "--if_revision", String(first), "lock"], /^"lock" changed meanwhile/);
    await says("delete", ...place, "--if_revision", String(second), "lock");
    await fails(["read", ...place, "lock"], /^Not found: "lock" in table "micro" of database "cas"\n$/);
    await fails(["write", ...place, "--if_revision", "-1", "lock", "x"], /--if_revision must be a whole number/);
    await fails(["write", ...place, "", "x"], /^The key is missing/);
  });

  it("takes a value from standard input, and makes changes together or not at all", async () => {
    const place = ["--database", "batch"];
    const run = (input: string, ...args: string[]) => micro.run(["store", ...args, ...place], input);
    assert.equal((await run("two\nlines\n", "write", "text")).code, 0);
    assert.equal(await says("read", ...place, "text"), "two\nlines\n\n");
    const lines = [
      '{"key": "a", "value": {"n": 1}, "if_revision": 0}',
      "",
      '{"key_base64": "/w==", "value_base64": "AP8=", "expiry": "1h"}',
      '{"key": "text", "delete": true}',
    ].join("\n");
    const made = await run(lines, "commit");
    assert.match(made.stdout, /^3 changes made, revision \d+\n$/, made.stderr);
    const found = JSON.parse(await says("read", ...place, "--prefix", "--output", "json"));
    const { revision, expiry_seconds: left, ...bytes } = found[1];
    assert.deepEqual(bytes, { key_base64: "/w==", value_base64: "AP8=" });
    assert.ok(left > 3_000 && left <= 3_600 && revision > 0);
    assert.deepEqual([found.length, found[0].value], [2, '{"n":1}']);
    const path = join(folder, "changes");
    await writeFile(path, '{"key": "b", "value": "1"}\n{"key": "a", "value": "2", "if_revision": 0}\n');
    await fails(["commit", path, ...place], /^"a" changed meanwhile/);
    assert.equal(await says("list", ...place, "b"), "");
    const wrong: [string, RegExp][] = [
      ["", /^there is no change/],
      ["{}", /^line 1 is no change: it has no key/],
      ["\n[1]", /^line 2 is no change: it is no JSON object/],
      ['{"key": "a"}', /either a value or "delete": true/],
      ['{"key": "a", "value": 1, "delete": true}', /either a value or "delete": true/],
      ['{"key": "a", "value_base64": "@@@"}', /value_base64 has to be a text in base64/],
      ['{"key_base64": 7, "value": 1}', /key_base64 has to be a text in base64/],
      ['{"key": "a", "value": 1, "value_base64": "AA=="}', /it has both value and value_base64/],
      ['{"key": "a", "vlaue": 1}', /it has "vlaue", which is none of key,/],
      ['{"key": "a", "value": 1, "if_revision": "1"}', /if_revision has to be a whole number/],
      ['{"key": "a", "value": 1, "expiry": "soon"}', /expiry has to be a duration/],
      ['{"key": "a", "value": 1}\n{"key": "a", "delete": true}', /"a" is changed twice/],
    ];
    for (const [input, reason] of wrong) {
      const { code, stderr } = await run(input, "commit");
      assert.equal(code, 1, input);
      assert.match(stderr, reason);
    }
    await rm(path);
  });

  it("copies a database into a file and back", async () => {
    await fill("acme", "posts", { a: "1", b: 'two "words"' });
    await fill("acme", "tags", { x: "ü" });
    await says("write", "--database", "acme", "--table", "tags", "--expiry", "1h", "soon", "gone");
    const file = join(folder, "acme.snapshot");
    assert.equal(
      await says("snapshot", "--database", "acme", "--destination", `file://${file}`),
      `4 records in ${file}\n`,
    );
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    await fill("acme", "posts", { a: "changed", c: "new" });
    await says("delete", "--database", "acme", "--table", "posts", "b");
    assert.equal(await says("restore", file), "4 records written in database acme\n");
    assert.deepEqual(await contents("acme", "posts"), { a: "1", b: 'two "words"', c: "new" });
    assert.match(
      await says("restore", "--source", file, "--exact"),
      /4 records written, 1 others deleted in database acme/,
    );
    assert.deepEqual(await contents("acme", "posts"), { a: "1", b: 'two "words"' });
    const [{ expiry_seconds: left }] = JSON.parse(
      await says("read", "--database", "acme", "--table", "tags", "soon", "--output", "json"),
    );
    assert.ok(left > 3_000 && left <= 3_600);
    await says("restore", file, "--database", "other", "--table", "tags");
    assert.equal(await says("tables", "--database", "other"), "tags\n");
  });

  it("names the file of a snapshot itself, and none after a failure", async () => {
    const { code, stdout } = await micro.run(["store", "snapshot", "--database", "acme", "--output", "json"]);
    assert.equal(code, 0);
    const { file, records } = JSON.parse(stdout);
    assert.match(file, /\/acme-\d{8}-\d{6}\.snapshot$/);
    assert.equal(records, 4);
    await rm(file);
    await says("snapshot", "--database", "acme", "named.snapshot");
    await rm(join(dirname(file), "named.snapshot"));
    await fails(["snapshot", "--database", "acme", "--table", "nothing"], /no table "nothing" in the database "acme"/);
    await fails(["snapshot", "-"], /a snapshot is a file/);
    await fails(
      ["snapshot", "--destination", join(folder, "no", "x")],
      /can't write .*no\/x: there is no folder .*\/no$/m,
    );
    await fails(["snapshot", "--destination", "s3://bucket/x"], /is no file/);
    assert.deepEqual((await readdir(folder)).toSorted(), ["acme.snapshot"]);
  });

  it("writes nothing of a file that is damaged, cut off or none", async () => {
    const whole = await readFile(join(folder, "acme.snapshot"), "utf8");
    const path = join(folder, "bad.snapshot");
    const cases: [string, RegExp][] = [
      [whole.replace('"1"', '"9"'), /checksum/],
      [whole.slice(0, whole.lastIndexOf("\n", whole.length - 2) + 1), /end is missing/],
      [whole.split("\n").toSpliced(1, 1).join("\n"), /checksum/],
      [whole.slice(0, whole.length / 2), /no JSON|end is missing/],
      [whole.replace('"format":1', '"format":2'), /format is 2/],
      ["hello\n", /line 1 is no JSON/],
      ["{}\n", /it is none/],
    ];
    for (const [text, reason] of cases) {
      await writeFile(path, text);
      await fails(["restore", path, "--database", "untouched"], reason);
    }
    await fails(["restore", join(folder, "nothing")], /can't read .*nothing: there is no such file/);
    await fails(["restore"], /needs the file/);
    await fails(
      ["restore", join(folder, "acme.snapshot"), "--table", "nobody"],
      /no table "nobody" in .*only posts, tags/,
    );
    assert.equal(await says("tables", "--database", "untouched"), "");
    await rm(path);
  });

  it("copies a database into another, of this server or of another one", async () => {
    await fill("from", "t", { a: "1", b: "2" });
    await fill("to", "t", { b: "old", z: "other" });
    assert.equal(
      await says("sync", "--from_database", "from", "--to_database", "to"),
      "2 records written in database to\n",
    );
    assert.deepEqual(await contents("to", "t"), { a: "1", b: "2", z: "other" });
    const exact = await says("sync", "--from_database", "from", "--from_table", "t", "--to_database", "to", "--exact");
    assert.match(exact, /2 records written, 1 others deleted/);
    assert.deepEqual(await contents("to", "t"), { a: "1", b: "2" });
    await says("sync", "--from_database", "from", "--from_table", "t", "--to_table", "t2");
    assert.deepEqual(await contents("from", "t2"), { a: "1", b: "2" });
    await fails(["sync", "--from_database", "from"], /copied into itself/);
    await fails(["sync", "--to_table", "x"], /--to_table goes with --from_table/);
    await fails(["sync", "--to_env", "nowhere"], /"nowhere" not found/);
    await using other = await serveCore();
    const there = commandLine(other);
    assert.equal((await micro.run(["env", "add", "there", other.address])).code, 0);
    await fails(["sync", "--from_database", "from", "--to_env", "there"], /account is required/i);
    await cp(join(other.home, "credentials"), join(server.home, "credentials"), { recursive: true });
    const sent = await says("sync", "--from_database", "from", "--to_env", "there", "--to_database", "copy");
    assert.match(sent, /4 records written in database copy/);
    assert.equal((await there.run(["store", "read", "--database", "copy", "--table", "t", "b"])).stdout, "2\n");
    await says("sync", "--from_env", "there", "--from_database", "copy", "--to_database", "back");
    assert.deepEqual(await contents("back", "t2"), { a: "1", b: "2" });
  });
});

describe("the file of a snapshot", () => {
  it("gives back any bytes, metadata and times", async () => {
    const folder = await mkdtemp(join(tmpdir(), "micro-snapshot-"));
    const path = join(folder, "s");
    const record = (key: number[], value: number[]) => ({
      table: "t\n",
      key: Uint8Array.from(key),
      value: Uint8Array.from(value),
      metadata: { 'a"': "b\u2028" },
      expiresAt: new Date(4e12),
    });
    const records = [record([0], []), record([0xff, 0xfe], [0, 0xc3]), record([0xef, 0xbb, 0xbf], [0xef, 0xbf, 0xbd])];
    const head = { database: "../x", tables: ["t\n"], createdAt: new Date(1e12) };
    const all = async function* () {
      yield* records;
    };
    assert.equal(await writeSnapshot(path, head, all(), () => {}), 3);
    assert.deepEqual(await checkSnapshot(path), { ...head, records: 3 });
    const read = await Array.fromAsync(readSnapshot(path));
    assert.deepEqual(
      read.map((each) => ({ ...each, key: Uint8Array.from(each.key), value: Uint8Array.from(each.value) })),
      records,
    );
    const failing = async function* () {
      yield* records;
      throw new Error("broke off");
    };
    await assert.rejects(
      writeSnapshot(path, head, failing(), () => {}),
      /broke off/,
    );
    assert.deepEqual(await readdir(folder), ["s"]);
    assert.deepEqual(await checkSnapshot(path), { ...head, records: 3 });
    await rm(folder, { recursive: true });
  });
});
