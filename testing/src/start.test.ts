import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Child } from "./child.ts";
import { addressVariables, Machine, repository } from "./micro.ts";

const script = join(repository, "tools", "start.ts");

describe("npm start", { timeout: 280_000 }, () => {
  let machine: Machine;
  let running: Child;

  before(async () => {
    machine = await Machine.create();
    running = machine.startFile(script, [], { env: addressVariables(), cwd: repository });
    await running.saying(/Ctrl-C stops everything/);
  });
  after(async () => {
    await running?.[Symbol.asyncDispose]();
    await machine?.[Symbol.asyncDispose]();
  });

  it("prints the addresses, the first call's answer and a curl line to copy", async () => {
    const urls = ["Gateway", "Dashboard"].map(
      (name) => new RegExp(`${name} +(http://127\\.0\\.0\\.1:\\d+)`).exec(running.stdout)?.[1],
    );
    for (const url of urls) assert.equal((await fetch(String(url))).status, 200);
    assert.match(running.stdout, /^\s*\{"msg":"Hello Jane"\}$/m);
    const curl = /curl '(http:[^']+)'/.exec(running.stdout)?.[1];
    assert.equal(await (await fetch(String(curl))).text(), '{"msg":"Hello Jane"}');
  });

  it("names who holds a port that is taken", async () => {
    await using other = await Machine.create();
    const [, api = ""] = /Gateway +http:\/\/(127\.0\.0\.1:\d+)/.exec(running.stdout) ?? [];
    const second = other.startFile(script, [], { env: addressVariables({ api }), cwd: repository });
    const { code, stderr } = await second.within(30_000);
    assert.notEqual(code, 0);
    assert.match(
      stderr,
      new RegExp(`can't listen on ${api}: process ${running.pid} \\(.*start\\.ts.*\\) holds the port`),
    );
    assert.doesNotMatch(stderr, /^\s+at /m);
  });

  it("stops everything on Ctrl-C, and starts again where it was", async () => {
    const { code } = await running.end("SIGINT");
    assert.equal(code, 0);
    assert.deepEqual(await machine.processes(), []);
    running = machine.startFile(script, [], { env: addressVariables(), cwd: repository });
    await running.saying(/\{"msg":"Hello Jane"\}/);
  });

  it("stops everything when it is stopped while it starts", async () => {
    await using other = await Machine.create();
    const starting = other.startFile(script, [], {
      env: { ...addressVariables(), MICRO_LOG_LEVEL: "info" },
      cwd: repository,
    });
    await starting.saying(/micro server is ready/);
    await starting.end("SIGTERM");
    assert.deepEqual(await other.processes(), []);
  });
});
