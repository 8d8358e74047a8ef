import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { parseSettings, startPlatform } from "@microts/platform";
import { commandLine } from "../../testing/src/command-line.ts";

describe("commands that go on until they are ended", { timeout: 280_000 }, () => {
  it("say that the server is away, and go on at their place when it is back", async () => {
    await using stack = new AsyncDisposableStack();
    const home = await mkdtemp(join(tmpdir(), "micro-follow-"));
    stack.defer(() => rm(home, { recursive: true, force: true }));
    const server = (proxy: string) => {
      const others = ["API", "WEB", "NETWORK"].map((name) => [`MICRO_${name}_ADDRESS`, "127.0.0.1:0"]);
      return startPlatform(
        parseSettings({ ...Object.fromEntries(others), MICRO_PROXY_ADDRESS: proxy, MICRO_HOME: home }),
      );
    };
    const first = await server("127.0.0.1:0");
    let current: AsyncDisposable = first;
    stack.defer(() => current[Symbol.asyncDispose]());
    const address = first.addresses.proxy;
    const micro = commandLine({ home, address });
    const does = async (...args: string[]) => {
      const { code, stderr } = await micro.run(args);
      assert.equal(code, 0, stderr);
    };
    const say = async (word: string) => {
      await Promise.all([
        does("events", "publish", "orders", word),
        does("broker", "publish", "chat", word),
        does("store", "write", "users/jane", word),
        does("config", "set", "color", word),
      ]);
    };
    await does("events", "publish", "orders", "zero");
    await does("config", "set", "color", "zero");
    const running = [
      ["events", "consume", "orders", "--group", "g", "--from", "earliest"],
      ["events", "consume", "orders", "--from", "earliest"],
      ["broker", "subscribe", "chat"],
      ["store", "watch", "users/"],
      ["config", "watch", "color"],
    ].map((args) => stack.use(micro.start(args)));
    const [grouped, alone, chat, store, config] = running;
    await Promise.all([grouped, alone, config].map((each) => each?.saying(/zero/)));
    // Those that say nothing at first may not have begun.
    while (!/before/.test(chat?.stdout ?? "") || !/before/.test(store?.stdout ?? "")) await say("before");
    await Promise.all(running.map((each) => each.saying(/before/)));
    await first[Symbol.asyncDispose]();
    await Promise.all(running.map((each) => each.saying(/The server has gone away \(.*Ctrl-C ends it\n/)));
    current = await server(address);
    await does("store", "write", "users/jane", "meanwhile");
    await Promise.all(running.map((each) => each.saying(/The server is back\n/)));
    await say("after");
    await Promise.all(running.map((each) => each.saying(/after/)));
    assert.match(store?.stdout ?? "", /before[\s\S]*meanwhile[\s\S]*after/);
    assert.equal(alone?.stdout.match(/zero/g)?.length, 1);
    assert.match(config?.stdout ?? "", /before\nafter\n$/);
    for (const each of running) await each.end("SIGINT");
    await current[Symbol.asyncDispose]();
    const { code, stderr } = await micro.run(["broker", "subscribe", "chat"]);
    assert.match(`${code} ${stderr}`, /^4 cannot reach the micro server/i);
  });
});
