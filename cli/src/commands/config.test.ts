import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type CoreServer, serveCore } from "@microts/testing";
import { type CommandLine, commandLine } from "../../../testing/src/command-line.ts";

describe("micro config", () => {
  let server: CoreServer;
  let micro: CommandLine;
  before(async () => {
    server = await serveCore();
    micro = commandLine(server);
  });
  after(() => server[Symbol.asyncDispose]());

  it("takes a value from standard input, so that it needn't be among the arguments (CF-01)", async () => {
    const pem = "-----BEGIN KEY-----\nabc\n-----END KEY-----";
    assert.deepEqual(await micro.run(["config", "set", "-s", "tls.key"], `${pem}\n`), {
      code: 0,
      stdout: "",
      stderr: "",
    });
    assert.equal((await micro.run(["config", "get", "-s", "tls.key"])).stdout, `${pem}\n`);
    assert.equal((await micro.run(["config", "get", "tls.key"])).stdout, "[secret]\n");
    const nothing = await micro.run(["config", "set", "tls.key"]);
    assert.equal(nothing.code, 1);
    assert.match(nothing.stderr, /needs a value for tls\.key: as a word, or on standard input/);
  });

  it("says so when a secret's new value is in clear", async () => {
    await micro.run(["config", "set", "-s", "mail.password", "abc"]);
    const kept = await micro.run(["config", "set", "-s", "mail.password", "def"]);
    assert.deepEqual([kept.code, kept.stderr], [0, ""]);
    const { code, stderr } = await micro.run(["config", "set", "mail.password", "ghi"]);
    const warning =
      "mail.password was a secret and is kept in clear now. To encrypt it: micro config set --secret mail.password\n";
    assert.deepEqual([code, stderr], [0, warning]);
    assert.equal((await micro.run(["config", "set", "mail.password", "jkl"])).stderr, "");
    assert.equal((await micro.run(["config", "set", "mail", "{}"])).stderr, "");
  });

  it("rotates the keys of all secrets (CF-04)", async () => {
    await micro.run(["config", "set", "-s", "rotated.key", "abc"]);
    const { code, stdout } = await micro.run(["config", "rotate"]);
    assert.equal(code, 0);
    assert.match(stdout, /^\d+ secrets? of 1 namespace encrypted anew\n$/);
    assert.equal((await micro.run(["config", "get", "-s", "rotated.key"])).stdout, "abc\n");
    const { stdout: json } = await micro.run(["config", "rotate", "--output", "json"]);
    assert.deepEqual(Object.keys(JSON.parse(json)), ["namespaces", "secrets", "sealed"]);
  });

  it("shows a value again whenever it changes", async () => {
    await micro.run(["config", "set", "watched", "0"]);
    await using watching = micro.start(["config", "watch", "watched"]);
    await watching.saying(/^0$/m);
    await micro.run(["config", "set", "watched", "one"]);
    await watching.saying(/^0\none$/m);
    assert.equal((await watching.end("SIGINT")).stderr, "");
  });

  it("shows all there is when no path is given", async () => {
    const nothing = await micro.run(["config", "get", "--namespace", "bare"]);
    assert.equal(nothing.code, 127);
    assert.match(nothing.stderr, /^Not found: namespace "bare" has no config\. Set some with: micro config set /);
    await micro.run(["config", "set", "--namespace", "bare", "mail", '{"port":25}']);
    await micro.run(["config", "set", "--namespace", "bare", "-s", "mail.password", "abc"]);
    const all = await micro.run(["config", "get", "--namespace", "bare"]);
    assert.deepEqual([all.code, JSON.parse(all.stdout)], [0, { mail: { port: 25, password: "[secret]" } }]);
  });
});
