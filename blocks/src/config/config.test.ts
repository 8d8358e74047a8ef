import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { type Account, lineLog, type MicroError } from "@microts/core";
import { serviceClient } from "@microts/core/rpc";
import { EmbeddedConfig, givenRootKeys, openEmbeddedStore } from "@microts/driver-embedded";
import { Config as ConfigService } from "@microts/proto/config";
import { serveMethods, testAdmin } from "@microts/testing";
import fc from "fast-check";
import { Config } from "./config.ts";
import { formatPath, parsePath } from "./path.ts";
import { configMethods } from "./service.ts";

async function open() {
  const stack = new AsyncDisposableStack();
  const store = stack.use(await openEmbeddedStore());
  const config = new Config(new EmbeddedConfig({ store, rootKeys: givenRootKeys([randomBytes(32)]) }));
  const lines: string[] = [];
  const log = lineLog((line) => lines.push(line.slice(25)));
  const as = async (account: Account | undefined) => {
    const { rpc } = stack.use(await serveMethods("config", configMethods(config, log), { account }));
    return serviceClient(ConfigService, rpc, "config");
  };
  return { config, as, lines, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

describe("parsePath", () => {
  it("splits at dots that have no backslash before them", () => {
    assert.deepEqual(parsePath("", "t"), []);
    assert.deepEqual(parsePath("a", "t"), ["a"]);
    assert.deepEqual(parsePath("a.b", "t"), ["a", "b"]);
    assert.deepEqual(parsePath("a\\.b.c\\\\", "t"), ["a.b", "c\\"]);
  });

  it("refuses empty and overlong keys", () => {
    for (const path of [".", "a.", ".a", "a..b", "x".repeat(1025)])
      assert.throws(() => parsePath(path, "t"), { code: 400 });
  });

  it("reads back whatever formatPath writes", () => {
    const keys = fc.array(fc.string({ minLength: 1, maxLength: 20 }), { maxLength: 6 });
    fc.assert(
      fc.property(keys, (path) => assert.deepEqual(parsePath(formatPath(path), "t"), path)),
      { numRuns: 2000 },
    );
  });
});

describe("Config", () => {
  it("refuses what is not JSON, nests too deep or has no path", async () => {
    await using fixture = await open();
    const { config } = fixture;
    let deep: unknown = 1;
    for (let i = 0; i < 64; i++) deep = { k: deep };
    const circular: Record<string, unknown> = {};
    circular["self"] = circular;
    const bad = [undefined, Number.NaN, 1n, () => {}, new Date(), new Map(), Symbol("x"), [undefined], deep, circular];
    for (const value of bad) await assert.rejects(config.set("a", value), { code: 400, message: /invalid change/ });
    await assert.rejects(config.set("", 1), { code: 400 });
    await assert.rejects(config.set("a", 1, { namespace: "A/b" }), { code: 400 });
    assert.equal(await config.get(""), undefined);
  });

  it("doesn't change with the value it was given", async () => {
    await using fixture = await open();
    const value = { list: [1] };
    const setting = fixture.config.set("a", value);
    value.list.push(2);
    await setting;
    assert.equal(JSON.stringify(await fixture.config.get("a")), '{"list":[1]}');
  });
});

describe("rotation over RPC", () => {
  it("is for admins of micro alone", async () => {
    await using fixture = await open();
    const { config, as } = fixture;
    await config.set("pw", "x", { namespace: "acme", secret: true });
    const owner: Account = { ...testAdmin, id: "owner", issuer: "acme" };
    const rotate = async (account: Account | undefined) => {
      for await (const { done, total } of (await as(account)).rotate({})) if (done === total) return done;
      return undefined;
    };
    await assert.rejects(rotate(undefined), { code: 401 });
    await assert.rejects(rotate(owner), { code: 403 });
    assert.equal(await rotate(testAdmin), 1);
  });
});

describe("the config service", () => {
  it("answers with compact JSON, null for a missing path and 404 without a document", async () => {
    await using fixture = await open();
    const client = await fixture.as(testAdmin);
    await assert.rejects(client.get({ path: "a" }), { code: 404, message: /^Not found/ });
    await client.set({ path: "a", value: { data: '{ "b": "<x> & y" }' } });
    assert.equal((await client.get({ path: "a" })).value?.data, '{"b":"<x> & y"}');
    assert.equal((await client.get({ path: "" })).value?.data, '{"a":{"b":"<x> & y"}}');
    assert.equal((await client.get({ path: "c.d" })).value?.data, "null");
    assert.equal((await client.get({ namespace: "micro", path: "a.b" })).value?.data, '"<x> & y"');
    const { change } = await client.read({ path: "a" });
    assert.equal(change?.changeSet?.data, '{"b":"<x> & y"}');
    assert.equal(change?.changeSet?.format, "json");
    await client.delete({ path: "a.b" });
    assert.equal((await client.get({ path: "a" })).value?.data, "{}");
  });

  it("masks secrets unless asked for them", async () => {
    await using fixture = await open();
    const client = await fixture.as(testAdmin);
    await client.set({ path: "pw", value: { data: '"hunter2"' }, options: { secret: true } });
    assert.equal((await client.get({ path: "pw" })).value?.data, '"[secret]"');
    assert.equal((await client.read({ path: "pw" })).change?.changeSet?.data, '"[secret]"');
    assert.equal((await client.get({ path: "pw", options: { secret: true } })).value?.data, '"hunter2"');
  });

  it("refuses a missing value and bad JSON", async () => {
    await using fixture = await open();
    const client = await fixture.as(testAdmin);
    await assert.rejects(client.set({ path: "a" }), { code: 400, message: /invalid change/ });
    await assert.rejects(client.set({ path: "a", value: { data: "{" } }), {
      code: 400,
      message: /Request is invalid JSON/,
    });
    await assert.rejects(client.set({ path: "a..b", value: { data: "1" } }), { code: 400 });
    await assert.rejects(
      client.set({ path: "pw", value: { data: "hunter2" }, options: { secret: true } }),
      (error: MicroError) => error.code === 400 && !error.detail.includes("hunter"),
    );
  });

  it("lets only admins and services of the namespace in (CF-08)", async () => {
    await using fixture = await open();
    await fixture.config.set("pw", "x", { namespace: "acme", secret: true });
    const user: Account = { id: "jane", name: "jane", type: "user", issuer: "acme", scopes: [], metadata: {} };
    const get = async (account: Account | undefined) =>
      (await fixture.as(account)).get({ namespace: "acme", path: "pw", options: { secret: true } });
    await assert.rejects(get(undefined), { code: 401 });
    await assert.rejects(get(user), { code: 403 });
    const sealed = async (account: Account | undefined) => (await fixture.as(account)).sealed({ namespace: "acme" });
    await assert.rejects(sealed(undefined), { code: 401 });
    await assert.rejects(sealed(user), { code: 403 });
    assert.equal((await sealed({ ...user, scopes: ["admin"] })).reason, "");
    await assert.rejects(get({ ...user, issuer: "acm", scopes: ["admin"] }), { code: 403 });
    assert.equal((await get({ ...user, scopes: ["admin"] })).value?.data, '"x"');
    assert.equal((await get({ ...user, type: "service", scopes: ["service"] })).value?.data, '"x"');
    const watching = (await fixture.as({ ...user, scopes: ["admin"] })).watch(
      { namespace: "acme", path: "", options: { secret: true } },
      {},
    );
    for await (const { value } of watching) {
      assert.equal(value?.data, '{"pw":"x"}');
      break;
    }
    const refused = "warn  audit: access to config was refused method=Get";
    const read = "info  audit: secrets were read";
    assert.deepEqual(fixture.lines, [
      `${refused} by=nobody namespace=acme path=pw\n`,
      `${refused} by="user \\"jane\\" of \\"acme\\"" namespace=acme path=pw\n`,
      `${refused} by="user \\"jane\\" of \\"acm\\"" namespace=acme path=pw\n`,
      `${read} method=Get by="user \\"jane\\" of \\"acme\\"" namespace=acme path=pw\n`,
      `${read} method=Get by="service \\"jane\\" of \\"acme\\"" namespace=acme path=pw\n`,
      `${read} method=Watch by="user \\"jane\\" of \\"acme\\"" namespace=acme path=""\n`,
    ]);
  });
});
