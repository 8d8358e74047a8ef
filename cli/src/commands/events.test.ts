import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type CoreServer, serveCore } from "@microts/testing";
import { type CommandLine, commandLine } from "../../../testing/src/command-line.ts";
import { progressLine } from "../progress.ts";
import { parsePosition } from "./events/place.ts";

describe("micro events", () => {
  let server: CoreServer;
  let micro: CommandLine;
  before(async () => {
    server = await serveCore();
    micro = commandLine(server);
  });
  after(() => server[Symbol.asyncDispose]());

  const says = async (args: readonly string[], input?: string) => {
    const { code, stdout, stderr } = await micro.run(["events", ...args], input);
    assert.equal(code, 0, stderr);
    return stdout;
  };
  const fails = async (args: readonly string[], code: number, text: RegExp, input?: string) => {
    const outcome = await micro.run(["events", ...args], input);
    assert.equal(outcome.code, code, outcome.stdout);
    assert.match(outcome.stderr, text);
  };

  it("publishes an event, an id once, and the lines of its input in order", async () => {
    assert.equal(await says(["publish", "a", '{"id":', "7}"]), "offset 0\n");
    assert.equal(await says(["publish", "a", "--id", "x", "hello", "--metadata", "by=jane"]), "offset 1\n");
    assert.equal(await says(["publish", "a", "--id", "x", "hello"]), "offset 1, published before\n");
    assert.equal(await says(["publish", "a"], '1\n\n"two"\nthree\n'), "3 published\n");
    const [all, some, one, json] = await Promise.all([
      says(["read", "a"]),
      says(["read", "a", "--from", "2", "--until", "4"]),
      says(["read", "a", "--from", "1", "--limit", "1", "-v"]),
      says(["read", "a", "--output", "json"]),
    ]);
    assert.equal(all, '{"id": 7}\n"hello"\n1\n"two"\n"three"\n');
    assert.equal(some, '1\n"two"\n');
    assert.match(one, /^1\t20\d\d-.*Z\t"hello"\tby=jane\n$/);
    const [first, second] = JSON.parse(json);
    assert.deepEqual([first.offset, first.data, second.id, second.metadata], [0, { id: 7 }, "x", { by: "jane" }]);
  });

  it("consumes in a group that remembers where it is", async () => {
    await says(["publish", "b"], "1\n2\n3\n4\n");
    assert.equal(await says(["consume", "b", "--group", "g", "--from", "earliest", "--count", "2"]), "1\n2\n");
    const rest = await says(["consume", "b", "--group", "g", "--count", "1", "--output", "json"]);
    const { offset, attempt, data } = JSON.parse(rest);
    assert.deepEqual([offset, data], [2, 3]);
    assert.equal(attempt, 1);
    await using live = micro.start(["events", "consume", "b", "--from", "3"]);
    await live.saying(/^4$/m);
    await says(["publish", "b", "5"]);
    await live.saying(/^4\n5\n/);
    await live.end("SIGINT");
    assert.match(await says(["groups", "b"]), /^GROUP +POSITION +LAG +UNANSWERED.*\ng +3 +2 +\d +0 +\d+s ago\n$/);
    const [group] = JSON.parse(await says(["groups", "b", "--output", "json"]));
    assert.deepEqual([group.group, group.position, group.lag], ["g", 3, 2]);
  });

  it("lists topics and lags, the furthest behind first", async () => {
    await says(["publish", "c"], "1\n2\n3\n");
    await says(["consume", "c", "--group", "near", "--from", "2", "--count", "1"]);
    await says(["replay", "c", "--group", "far", "--from", "earliest"]);
    assert.match(
      await says(["topics"]),
      /^TOPIC +EVENTS +FIRST +NEXT +BYTES +KEEPS\n[\s\S]*c +3 +0 +3 +\d+ +everything\n/,
    );
    assert.equal(await says(["lag", "c"]), "TOPIC  GROUP  LAG\nc      far    3\nc      near   0\n");
    const all = JSON.parse(await says(["lag", "--output", "json"]));
    assert.ok(all.some((each: { topic: string; group: string }) => each.topic === "c" && each.group === "far"));
  });

  it("deletes a topic and a group, and ends their consumers with what happened", async () => {
    await says(["publish", "gone"], "1\n2\n");
    await says(["publish", "kept", "1"]);
    const consumers = [
      micro.start(["events", "consume", "gone", "--group", "g", "--from", "earliest"]),
      micro.start(["events", "consume", "kept", "--group", "g", "--from", "earliest"]),
    ];
    await using _ = consumers[0];
    await using __ = consumers[1];
    await Promise.all(consumers.map((each) => each.saying(/^1$/m)));
    await fails(["delete", "gone"], 1, /^gone has 2 events, which would be gone for good: say --yes/);
    await fails(["delete", "gonee"], 1, /There is no topic "gonee" in micro.*micro events topics/);
    await fails(["delete", "kept", "gg"], 1, /the group "gg" of the topic "kept" isn't there/i);
    assert.equal(await says(["delete", "gone", "--yes"]), "");
    assert.deepEqual(JSON.parse(await says(["delete", "kept", "g", "--output", "json"])), {
      topic: "kept",
      group: "g",
    });
    const [topic, group] = await Promise.all(consumers.map((each) => each.within(20_000)));
    assert.match(`${topic?.code} ${topic?.stderr}`, /^127 [\s\S]*the topic "gone" was deleted/i);
    assert.match(`${group?.code} ${group?.stderr}`, /^127 [\s\S]*the group "g" of the topic "kept" was deleted/i);
    assert.doesNotMatch(await says(["topics"]), /^gone/m);
  });

  it("replays a range on standard output, into another topic, and to a group", async () => {
    await says(["publish", "d"], "1\n2\n3\n4\n");
    const [printed, published] = await Promise.all([
      says(["replay", "d", "--from", "1", "--until", "3"]),
      says(["replay", "d", "--from", "2", "--into", "e"]),
    ]);
    assert.deepEqual([printed, published], ["2\n3\n", "2 published to e\n"]);
    assert.equal(
      await says(["replay", "d", "--into", "e"]),
      "2 published to e, 2 not: an earlier replay had published them\n",
    );
    const long = "x".repeat(256);
    await says(["publish", long, "1"]);
    assert.equal(await says(["replay", long, "--into", "long"]), "1 published to long\n");
    assert.equal(await says(["read", "e"]), "3\n4\n1\n2\n");
    assert.equal(await says(["consume", "d", "-g", "g", "-f", "earliest", "-c", "4"]), "1\n2\n3\n4\n");
    assert.equal(await says(["replay", "d", "--group", "g", "--from", "3"]), "g goes on at offset 3\n");
    assert.equal(await says(["consume", "d", "-g", "g", "-c", "1"]), "4\n");
  });

  it("says that it waits for a topic that isn't there, which may be a name mistyped", async () => {
    await using waiting = micro.start(["events", "consume", "later", "--count", "1"]);
    await waiting.saying(/There is no topic "later" in micro yet: waiting for its first event/);
    await says(["publish", "later", "1"]);
    await waiting.saying(/^1$/m);
  });

  it("limits what a topic keeps, one limit at a time", async () => {
    await says(["publish", "f"], "1\n2\n3\n4\n");
    await says(["configure", "f", "--max_events", "2"]);
    assert.equal(await says(["read", "f"]), "3\n4\n");
    await says(["configure", "f", "--max_age", "48h"]);
    assert.match(await says(["topics"]), /\nf +2 +2 +4 +\d+ +2d, 2 events\n/);
    await says(["configure", "f", "--max_events", "0", "--max-age", "0"]);
    assert.match(await says(["topics"]), /\nf .* everything\n/);
  });

  it("acts in the namespace that is chosen", async () => {
    const acme = async (...args: string[]) => (await micro.run(["--namespace", "acme", "events", ...args])).stdout;
    assert.equal(await acme("publish", "a", "acme"), "offset 0\n");
    assert.equal(await acme("read", "a"), '"acme"\n');
    assert.equal(await acme("consume", "a", "--from", "earliest", "--count", "1"), '"acme"\n');
    assert.equal(await acme("lag"), "TOPIC  GROUP  LAG\n");
  });

  it("says what is wrong", async () => {
    await Promise.all([
      fails(["read", "nowhere"], 1, /There is no topic "nowhere" in micro\. See: micro events topics/),
      fails(["groups", "nowhere"], 1, /There is no topic "nowhere"/),
      fails(["replay", "nowhere"], 1, /There is no topic "nowhere"/),
      fails(["read", "a", "--from", "yesterday"], 1, /--from is earliest, latest, an offset, a time.*not "yesterday"/),
      fails(["publish", "a", "--id", "x"], 1, /--id is for a single event/, "1\n2\n"),
      fails(["configure", "a"], 1, /needs --max_age, --max_bytes/),
      fails(["replay", "a", "--group", "g", "--into", "b"], 1, /--group goes with --from alone/),
      fails(["publish"], 1, /topic/),
    ]);
  });
});

describe("a position in a topic", () => {
  it("is a word, an offset, a time, or how long ago", () => {
    const now = Date.UTC(2026, 0, 31);
    const rows = [
      ["earliest", {}],
      ["latest", { latest: true }],
      ["0", { offset: 0n }],
      ["120", { offset: 120n }],
      ["2026-01-30", { timeMs: BigInt(Date.UTC(2026, 0, 30)) }],
      ["2026-01-30T12:00:00Z", { timeMs: BigInt(Date.UTC(2026, 0, 30, 12)) }],
      ["90m", { timeMs: BigInt(now - 90 * 60_000) }],
    ] as const;
    for (const [text, position] of rows) assert.deepEqual(parsePosition("from", text, now), position);
    for (const text of ["", "-1", "now", "2026-99-99", "2026-02-31", "2026-02-31T12:00:00Z", "1.5"])
      assert.throws(() => parsePosition("from", text), /--from is/);
  });
});

describe("progress", () => {
  it("is a bar when the total is known", () => {
    assert.equal(progressLine(1200, 4800, "events"), `[${"#".repeat(6)}${"-".repeat(18)}] 1,200 of 4,800 events`);
    assert.equal(progressLine(7, undefined, "events"), "7 events");
    assert.equal(progressLine(9, 4, "events"), `[${"#".repeat(24)}] 9 of 4 events`);
  });
});
