import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, openSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { type CoreServer, serveCore } from "@microts/testing";
import { type CommandLine, commandLine } from "../../testing/src/command-line.ts";
import { canOpenTerminals, Terminal } from "../../testing/src/terminal.ts";

const binary = fileURLToPath(new URL("../bin/micro.js", import.meta.url));

describe("micro in a terminal", { skip: canOpenTerminals ? false : "needs the program script of util-linux" }, () => {
  let server: CoreServer;
  let micro: CommandLine;
  before(async () => {
    server = await serveCore();
    micro = commandLine(server);
  });
  after(() => server[Symbol.asyncDispose]());

  it("asks for a secret and doesn't show it while it is typed (CF-01)", async () => {
    await using terminal = new Terminal(server, ["config", "set", "--secret", "mail.password"]);
    await terminal.saying(/Value of mail\.password: /);
    terminal.type("hunter2\r");
    const { code, stdout } = await terminal.within(30_000);
    assert.deepEqual([code, stdout], [0, "Value of mail.password: \r\n"]);
    assert.equal((await micro.run(["config", "get", "--secret", "mail.password"])).stdout, "hunter2\n");
  });

  it("asks for a value that is no secret and shows it", async () => {
    await using terminal = new Terminal(server, ["config", "set", "mail.host"]);
    await terminal.saying(/Value of mail\.host: /);
    terminal.type("smtp\r");
    const { code, stdout } = await terminal.within(30_000);
    assert.equal(code, 0);
    assert.match(stdout, /smtp/);
    assert.equal((await micro.run(["config", "get", "mail.host"])).stdout, "smtp\n");
  });

  it("writes out control characters that others left in keys and values, which would act on the terminal", async () => {
    const evil = "evil/\x1b]0;title\x07\n";
    await micro.run(["store", "write", evil, "\x1b[31mred\x1b[0m \x1b[2J\x9bgone"]);
    await using list = new Terminal(server, ["store", "list"]);
    assert.equal((await list.within(30_000)).stdout, "evil/\\x1b]0;title\\x07\r\n\r\n");
    await using read = new Terminal(server, ["store", "read", "--prefix", "evil/"]);
    assert.equal((await read.within(30_000)).stdout, "\x1b[31mred\x1b[0m \\x1b[2J\\x9bgone\r\n");
    const { stdout } = await micro.run(["store", "read", "--prefix", "evil/", "--verbose"]);
    assert.match(stdout, /^KEY .*\nevil\/\\x1b\]0;title\\x07\\n +\\x1b\[31mred.*\n$/);
    // Elsewhere than on a terminal, what is there is printed as it is.
    assert.equal((await micro.run(["store", "list"])).stdout, `${evil}\n`);
  });

  it("ends with 130 and sets nothing at Ctrl-C", async () => {
    await using terminal = new Terminal(server, ["config", "set", "--secret", "left.out"]);
    await terminal.saying(/Value of left\.out: /);
    terminal.type("hunter2\x03");
    assert.equal((await terminal.within(30_000)).code, 130);
    assert.equal((await micro.run(["config", "get", "left.out"])).code, 1);
  });
});

describe("micro whose output can't be written", { skip: existsSync("/dev/full") ? false : "needs /dev/full" }, () => {
  it("says so and fails, so that a script doesn't go on with half a result", () => {
    const full = openSync("/dev/full", "w");
    const { status, stderr } = spawnSync(process.execPath, [binary, "--help"], { stdio: ["ignore", full, "pipe"] });
    assert.equal(status, 1);
    assert.match(`${stderr}`, /^can't write to standard output: ENOSPC: no space left on device, write\n$/);
  });
});
