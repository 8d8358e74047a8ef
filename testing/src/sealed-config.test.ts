// What a server does about secrets without the right key: CF-02 of the reliability catalogue, as a user meets it.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Machine, type MicroServer, startServer } from "./micro.ts";

const right = randomBytes(32).toString("base64");
const short = randomBytes(16).toString("base64");

const cases = [
  { name: "one that is no base64", key: "hunter2!", reason: /MICRO_CONFIG_SECRET_KEY is not base64 of 32 bytes/ },
  {
    name: "a short one",
    key: short,
    reason: /MICRO_CONFIG_SECRET_KEY is not base64 of 32 bytes.*with the key that they/,
  },
  {
    name: "another one",
    key: randomBytes(32).toString("base64"),
    reason: /start the server with the key that they were sealed with behind its own in MICRO_CONFIG_SECRET_KEY/,
  },
  { name: "none", key: "", reason: /config-secret-key is missing.*start the server with MICRO_CONFIG_SECRET_KEY/ },
] as const;

describe("a server whose secrets are sealed with another key (CF-02)", { timeout: 280_000 }, () => {
  const startWith = (machine: Machine, key: string) =>
    startServer({ machine, env: { MICRO_LOG_LEVEL: "info", MICRO_CONFIG_SECRET_KEY: key } });
  const refused = async (server: MicroServer, ...args: string[]) => {
    const { code, stdout, stderr } = await server.micro("config", ...args);
    assert.equal(code, 127, stdout + stderr);
    assert.equal(stdout, "");
    assert.match(stderr, /secrets are sealed: /i);
    return stderr;
  };

  it("says so at the start, in status and for each secret, does all else, and loses nothing", async () => {
    await using machine = await Machine.create();
    {
      await using server = await startWith(machine, right);
      await server.output("config", "set", "--secret", "mail.password", "hunter2");
      await server.output("config", "set", "mail.host", "a");
      assert.equal((await server.micro("status")).stderr, "");
    }
    await rm(join(machine.home, ".micro", "server", "keys", "config-secret-key"), { force: true });
    for (const { name, key, reason } of cases) {
      await using server = await startWith(machine, key);
      await server.process.saying(/error secrets in config are sealed/);
      assert.match(server.process.stderr, reason, name);
      const { code, stdout, stderr } = await server.micro("status", "--output=json");
      assert.deepEqual([code, stdout], [0, "[]\n"]);
      assert.match(stderr, reason, name);
      assert.match(await refused(server, "get", "--secret", "mail.password"), reason);
      assert.match(await refused(server, "get", "--secret", "mail"), reason);
      assert.match(await refused(server, "set", "--secret", "mail.password", "x"), reason);
      assert.match(await refused(server, "set", "--secret", "new", "x", "--namespace=acme"), reason);
      await server.output("config", "set", "mail.host", name);
      assert.equal(await server.output("config", "get", "mail.host"), `${name}\n`);
      assert.equal(await server.output("config", "get", "mail.password"), "[secret]\n");
      if (key !== "") assert.ok(!(server.process.stderr + stderr).includes(key), "the setting is repeated");
    }
    await using server = await startWith(machine, right);
    assert.equal(await server.output("config", "get", "--secret", "mail.password"), "hunter2\n");
    assert.equal((await server.micro("status")).stderr, "");
  });
});
