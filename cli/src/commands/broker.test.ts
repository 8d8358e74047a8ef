import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type CoreServer, serveCore } from "@microts/testing";
import { type CommandLine, commandLine } from "../../../testing/src/command-line.ts";

describe("micro broker", () => {
  let server: CoreServer;
  let micro: CommandLine;
  before(async () => {
    server = await serveCore();
    micro = commandLine(server);
  });
  after(() => server[Symbol.asyncDispose]());

  it("prints what is published, with topic and header when asked to", async () => {
    await using plain = micro.start(["broker", "subscribe", "orders.*", "--count", "2"]);
    await using verbose = micro.start(["broker", "subscribe", "orders.>", "--verbose"]);
    await using json = micro.start(["broker", "subscribe", ">", "--output", "json", "--queue", "q"]);
    while (![plain, verbose, json].every(({ stdout }) => stdout.includes("here")))
      assert.equal((await micro.run(["broker", "publish", "orders.eu", "here"])).code, 0);
    await micro.run(["broker", "publish", "orders.eu", '{"id":', "7}", "--header", "X-Id=7"]);
    const ended = await plain.within(10_000);
    assert.equal(ended.code, 0);
    assert.match(ended.stdout, /^"here"\n("here"|\{"id": 7\})\n$/);
    await verbose.saying(/^orders\.eu\t\{"id": 7\}\t.*X-Id=7/m);
    const [line] = await json.saying(/^.*"id":7.*$/m);
    const { topic, data, header } = JSON.parse(line);
    assert.deepEqual([topic, data, header["X-Id"]], ["orders.eu", { id: 7 }, "7"]);
    await micro.run(["broker", "publish", "orders.us", "--raw"], "one\n\n{\n");
    await verbose.saying(/^orders\.us\tone\t[\s\S]*^orders\.us\t\{\t/m);
    await json.saying(/"body_base64":"ew=="/);
    await verbose.end("SIGINT");
    await json.end("SIGINT");
  });

  it("says what is wrong with a topic, and what a message needs", async () => {
    const fails = async (args: readonly string[], code: number, text: RegExp) => {
      const outcome = await micro.run(["broker", ...args]);
      assert.equal(outcome.code, code);
      assert.match(outcome.stderr, text);
    };
    await fails(["publish", "orders.*", "x"], 127, /has the wildcard "\*"/);
    await fails(["subscribe", ">.x"], 127, /has ">" before its end/);
    await fails(["publish"], 1, /topic/);
  });

  it("acts in the namespace that is chosen", async () => {
    await using acme = micro.start(["--namespace", "acme", "broker", "subscribe", "news"]);
    while (!acme.stdout.includes("acme")) {
      await micro.run(["broker", "publish", "news", "micro"]);
      await micro.run(["--namespace", "acme", "broker", "publish", "news", "acme"]);
    }
    assert.ok(!acme.stdout.includes("micro"), acme.stdout);
    await acme.end("SIGINT");
  });
});
