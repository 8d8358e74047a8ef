import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { MicroError, writeLocalCredentials } from "@microts/core";
import { Session, type SessionChoices } from "./session.ts";

let home = "";
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "micro-session-"));
});
afterEach(() => rm(home, { recursive: true, force: true }));

const open = (choices: SessionChoices = {}) => new Session({ MICRO_HOME: home }, choices, () => {});
const inAnHour = () => new Date(Date.now() + 3_600_000);
const storedToken = (accessToken: string) => ({
  accessToken,
  refreshToken: "r",
  created: new Date(),
  expiry: inAnHour(),
});

describe("Session", () => {
  it("acts on this machine, in the namespace micro, as nobody, unless told otherwise", async () => {
    await using session = open();
    assert.equal(await session.address(), "127.0.0.1:8081");
    assert.equal(await session.namespace(), "micro");
    assert.equal(await session.token(), undefined);
  });

  it("acts where the environment says, with TLS's port when it names none", async () => {
    await using session = open();
    await session.environments.add({ name: "prod", address: "proxy.example.com", description: "" });
    await session.environments.choose("prod");
    await using other = open();
    assert.equal(await other.address(), "proxy.example.com:443");
    await using chosen = open({ environment: "local" });
    assert.equal(await chosen.address(), "127.0.0.1:8081");
    await using direct = open({ address: "127.0.0.1:9" });
    assert.equal(await direct.address(), "127.0.0.1:9");
  });

  it("keeps a namespace for each environment", async () => {
    await using session = open();
    await session.environments.add({ name: "prod", address: "x:1", description: "" });
    await session.config.set(await session.namespaceName(), "acme");
    await using again = open();
    assert.equal(await again.namespace(), "acme");
    await using prod = open({ environment: "prod" });
    assert.equal(await prod.namespace(), "micro");
    await using chosen = open({ namespace: "other" });
    assert.equal(await chosen.namespace(), "other");
  });

  it("uses the credentials that a server on this machine left, until somebody signs in", async () => {
    await writeLocalCredentials(home, {
      address: "127.0.0.1:8081",
      namespace: "micro",
      account: "admin",
      token: "local",
      expiry: inAnHour(),
    });
    await using session = open();
    assert.equal(await session.token(), "local");
    await session.signIn("jane@example.com", storedToken("own"));
    assert.equal(await session.token(), "own");
    await using again = open();
    assert.equal(await again.token(), "own");
    await again.signOut();
    assert.equal(await again.token(), "local");
    await using elsewhere = open({ address: "127.0.0.1:9999" });
    assert.equal(await elsewhere.token(), undefined);
  });

  it("keeps logins apart by proxy and namespace", async () => {
    await using session = open();
    await session.signIn("jane", storedToken("micro's"));
    await using acme = open({ namespace: "acme" });
    assert.equal(await acme.token(), undefined);
    await using elsewhere = open({ address: "127.0.0.1:9999" });
    assert.equal(await elsewhere.token(), undefined);
  });

  it("writes its files for this user alone, keeping what it doesn't know", async () => {
    await writeFile(join(home, "config.json"), '{"env":"local","other":{"x":1}}');
    await using session = open();
    await session.signIn("jane", storedToken("t"));
    for (const name of ["config.json", "tokens"]) assert.equal((await stat(join(home, name))).mode & 0o777, 0o600);
    const config: unknown = JSON.parse(await readFile(join(home, "config.json"), "utf8"));
    assert.deepEqual(config, { env: "local", other: { x: 1 }, local: { "current-user": "jane" } });
    assert.match(
      await readFile(join(home, "tokens"), "utf8"),
      /^micro:\/\/127\.0\.0\.1:8081\/micro\/jane:[A-Za-z0-9+/=]+\n$/,
    );
  });

  it("reads the original's config and envs", async () => {
    const envs = JSON.stringify({ prod: { Name: "prod", ProxyAddress: "p:1", Description: "d" } });
    await writeFile(
      join(home, "config.json"),
      JSON.stringify({ env: "prod", envs, namespaces: { prod: { current: "acme" } } }),
    );
    await using session = open();
    assert.deepEqual([await session.address(), await session.namespace()], ["p:1", "acme"]);
  });

  const damaged: readonly [string, string][] = [
    ["text", "not json"],
    ["cut off", '{"env":'],
    ["an array", "[]"],
    ["null", "null"],
  ];
  for (const [what, text] of damaged) {
    it(`names a config file that is damaged (${what}) and what to do`, async () => {
      await writeFile(join(home, "config.json"), text);
      await using session = open();
      const wanted = /config\.json is damaged.*Repair it, or delete it/;
      await assert.rejects(session.address(), (error) => error instanceof MicroError && wanted.test(error.detail));
      await assert.rejects(session.config.set("env", "x"), wanted);
    });
  }

  it("takes an empty config file for none", async () => {
    await writeFile(join(home, "config.json"), "");
    await using session = open();
    assert.equal(await session.environmentName(), "local");
  });

  it("says so when the config file can't be read", async () => {
    await mkdir(join(home, "config.json"));
    await using session = open();
    await assert.rejects(session.address(), /cannot read the config file/);
  });

  const refusals: readonly [string, (session: Session) => Promise<unknown>, RegExp][] = [
    ["an unknown environment", (session) => session.environments.choose("mars"), /Environment 'mars' does not exist/],
    ["to delete the built-in environment", (session) => session.environments.remove("local"), /built in/],
    [
      "to replace the built-in environment",
      (session) => session.environments.add({ name: "local", address: "x:1", description: "" }),
      /built in/,
    ],
    [
      "names with dots",
      (session) => session.environments.add({ name: "a.b", address: "x:1", description: "" }),
      /cannot be an environment's name/,
    ],
    [
      "an environment without an address",
      async (session) => {
        await session.environments.add({ name: "bare", address: "", description: "" });
        await session.environments.choose("bare");
        await session.address();
      },
      /has no address/,
    ],
    [
      "to delete the environment in use",
      async (session) => {
        await session.environments.add({ name: "prod", address: "x:1", description: "" });
        await session.environments.choose("prod");
        await session.environments.remove("prod");
      },
      /is the environment in use/,
    ],
  ];
  for (const [what, run, message] of refusals) {
    it(`refuses ${what}`, async () => {
      await using session = open();
      await assert.rejects(run(session), (error) => error instanceof MicroError && message.test(error.detail));
    });
  }
});
