import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type MicroServer, repository, startServer } from "./micro.ts";
import { until } from "./until.ts";

const examples = join(repository, "examples");

describe("the examples", { timeout: 280_000 }, () => {
  let server: MicroServer;

  before(async () => {
    server = await startServer();
  });
  after(() => server?.[Symbol.asyncDispose]());

  describe("helloworld", () => {
    it("runs and answers", async () => {
      await server.output("run", join(examples, "helloworld"));
      assert.deepEqual(await get("/helloworld/call?name=Jane"), { msg: "Hello Jane" });
      assert.deepEqual(await command("helloworld", "--name=Jane"), { msg: "Hello Jane" });
      await server.output("kill", "helloworld");
    });

    it("started by hand joins the server that is there, and leaves it when it ends", async () => {
      const file = join(examples, "helloworld", "index.ts");
      await using child = server.machine.startFile(file, [], { env: server.env });
      await child.saying(/serving.*service=helloworld/);
      assert.deepEqual(await get("/helloworld/call?name=Jane"), { msg: "Hello Jane" });
      assert.deepEqual(await command("helloworld", "--name=Jane"), { msg: "Hello Jane" });
      assert.match(await server.output("services"), /^helloworld$/m);
      assert.equal((await child.end("SIGINT")).code, 0);
      assert.doesNotMatch(await server.output("services"), /^helloworld$/m);
      assert.equal((await server.fetch("/helloworld/call?name=Jane")).status, 404);
    });

    it("started by hand without a server says what is missing", async () => {
      const file = join(examples, "helloworld", "index.ts");
      const child = server.machine.startFile(file, [], { env: { MICRO_PROXY: "127.0.0.1:1" } });
      const { code, stdout, stderr } = await child.within(20_000);
      assert.equal(code, 1);
      assert.match(stderr, /cannot reach the micro server at 127\.0\.0\.1:1.*Start one with: micro server/);
      assert.doesNotMatch(stdout + stderr, /^\s+at /m);
    });
  });

  describe("blog", () => {
    before(async () => {
      for (const part of ["tags", "comments", "posts"]) await server.output("run", join(examples, "blog", part));
    });

    it("saves posts", async () => {
      const first = await command("posts", "save", "--title=My First Post", "--content=Hi", "--tags=go,typescript");
      assert.deepEqual(without(first, "created"), {
        slug: "my-first-post",
        title: "My First Post",
        content: "Hi",
        tags: ["go", "typescript"],
      });
      const second = await post("/posts/save", { title: "Second", content: "More", tags: ["typescript"] });
      assert.equal(second["slug"], "second");
    });

    it("reads a post with its comments", async () => {
      await post("/comments/create", { post: "my-first-post", author: "Jane", text: "Nice" });
      await command("comments", "create", "--post=my-first-post", "--author=John", "--text=Indeed");
      const comments = [
        { author: "Jane", text: "Nice" },
        { author: "John", text: "Indeed" },
      ];
      for (const read of [
        await get("/posts/read?slug=my-first-post"),
        await command("posts", "read", "--slug=my-first-post"),
      ]) {
        assert.deepEqual([read["title"], read["comments"]], ["My First Post", comments]);
      }
    });

    it("lists posts, all or by tag", async () => {
      assert.deepEqual(slugs(await get("/posts/list")), ["my-first-post", "second"]);
      assert.deepEqual(slugs(await get("/posts/list?tag=go")), ["my-first-post"]);
      assert.deepEqual(slugs(await command("posts", "list", "--tag=typescript", "--limit=1", "--offset=1")), [
        "second",
      ]);
      assert.deepEqual(slugs(await get("/posts/list?tag=none")), []);
    });

    it("counts the posts of each tag", async () => {
      assert.deepEqual(await tags(), { go: 1, typescript: 2 });
      await post("/posts/save", { title: "Second", content: "Changed", tags: ["go"] });
      assert.deepEqual(await tags(), { go: 2, typescript: 1 });
    });

    it("deletes a post with its comments and its part in the counts", async () => {
      assert.deepEqual(await command("posts", "delete", "--slug=my-first-post"), {});
      assert.deepEqual(slugs(await get("/posts/list")), ["second"]);
      assert.deepEqual(await tags(), { go: 1 });
      assert.deepEqual(await get("/comments/list?post=my-first-post"), { comments: [] });
      const gone = await server.fetch("/posts/read?slug=my-first-post");
      assert.equal(gone.status, 404);
      assert.match(await gone.text(), /there is no post \\"my-first-post\\"/);
      const { code, stderr } = await server.micro("posts", "read", "--slug=my-first-post");
      assert.deepEqual([code, stderr], [127, 'There is no post "my-first-post"\n']);
    });

    it("keeps each service's records in a table of its own", async () => {
      assert.deepEqual(JSON.parse(await server.output("store", "list", "--table=posts", "--output=json")), ["second"]);
      assert.equal(await server.output("store", "read", "--table=tags", "go"), "1\n");
    });

    async function tags(): Promise<Record<string, number>> {
      const { tags: counts } = (await command("tags", "list")) as { tags: { tag: string; posts: number }[] };
      return Object.fromEntries(counts.map(({ tag, posts }) => [tag, posts]));
    }
  });

  describe("clock", () => {
    before(async () => {
      // The example itself, with a line in its log when a caller leaves.
      const source = await readFile(join(examples, "clock", "index.ts"), "utf8");
      const line = 'signal.aborted && console.log("the caller left")';
      const noted = source.replace("{ signal });", `{ signal }).finally(() => ${line});`);
      assert.notEqual(noted, source);
      await server.machine.write({ "clock/index.ts": noted });
      await server.output("run", "./clock");
    });

    it("streams to the command line", async () => {
      const ticks = await server.output(
        "stream",
        "clock",
        "Clock.Tick",
        '{"count": 3, "intervalMs": 10}',
        "--output=json",
      );
      assert.deepEqual(counts(ticks), [1, 2, 3]);
      const dynamic = await server.output("clock", "tick", "--count=2", "--interval_ms=10", "--output=json");
      assert.deepEqual(counts(dynamic), [1, 2]);
      assert.ok(Date.parse(String((await command("clock", "now"))["time"])) > 0);
    });

    it("streams lines of JSON through the gateway", async () => {
      const response = await server.fetch("/clock/tick?count=3&intervalMs=10");
      assert.deepEqual([response.status, response.headers.get("content-type")], [200, "application/x-ndjson"]);
      assert.deepEqual(counts(await response.text()), [1, 2, 3]);
    });

    it("streams events to those who ask for them", async () => {
      const headers = { accept: "text/event-stream" };
      const response = await server.fetch("/clock/tick?count=2&intervalMs=10", undefined, { headers });
      assert.equal(response.headers.get("content-type"), "text/event-stream");
      const events = (await response.text()).match(/^data: .*$/gm) ?? [];
      assert.deepEqual(counts(events.map((line) => line.slice(6)).join("\n")), [1, 2]);
    });

    it("refuses a count that makes no sense", async () => {
      assert.equal((await server.fetch("/clock/tick?count=-1")).status, 400);
      const { code, stderr } = await server.micro("clock", "tick", "--count=-1");
      assert.equal(code, 127);
      assert.match(stderr, /count: .*>=0/);
    });

    it("stops when a client of the gateway leaves", async () => {
      const before = await departures();
      const leaving = new AbortController();
      const response = await server.fetch("/clock/tick?intervalMs=20", undefined, { signal: leaving.signal });
      const reader = response.body?.getReader();
      await reader?.read();
      await reader?.read();
      leaving.abort();
      await until(departures, (count) => count === before + 1);
    });

    it("stops when the command line is left with Ctrl-C", async () => {
      const before = await departures();
      const child = server.machine.start(["stream", "clock", "Clock.Tick", '{"intervalMs": 20}'], { env: server.env });
      await child.saying(/"count": 3/);
      const { code, stderr } = await child.end("SIGINT");
      assert.deepEqual([code, stderr], [130, ""]);
      await until(departures, (count) => count === before + 1);
    });

    async function departures(): Promise<number> {
      const log = await server.output("logs", "-n", "0", "clock");
      return log.match(/^the caller left$/gm)?.length ?? 0;
    }
  });

  async function get(path: string): Promise<Record<string, unknown>> {
    const response = await server.fetch(path);
    const text = await response.text();
    assert.equal(response.status, 200, text);
    return JSON.parse(text) as Record<string, unknown>;
  }

  async function post(path: string, body: unknown): Promise<Record<string, unknown>> {
    const response = await server.fetch(path, body);
    const text = await response.text();
    assert.equal(response.status, 200, text);
    return JSON.parse(text) as Record<string, unknown>;
  }

  async function command(...args: string[]): Promise<Record<string, unknown>> {
    return JSON.parse(await server.output(...args)) as Record<string, unknown>;
  }
});

function without(value: Readonly<Record<string, unknown>>, name: string): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).filter(([key]) => key !== name));
}

function slugs(reply: Readonly<Record<string, unknown>>): string[] {
  return (reply["posts"] as { slug: string }[]).map(({ slug }) => slug);
}

/** The counts of a clock's replies, one JSON text a line. */
function counts(lines: string): number[] {
  const texts = lines.split("\n").filter((line) => line !== "");
  return texts.map((line) => (JSON.parse(line) as { count: number }).count);
}
