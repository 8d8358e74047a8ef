import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { platformDatabase, type StoreDriver } from "@microts/blocks/store";
import { MicroError } from "@microts/core";
import { configConformance } from "../../../blocks/src/config/conformance.ts";
import { EmbeddedConfig } from "./config.ts";
import { ConfigSecrets, openConfigKey, parseConfigKey } from "./config-secrets.ts";
import { openEmbeddedStore } from "./store.ts";

const signal = new AbortController().signal;
const table = { database: platformDatabase, table: "config" };
let folder = "";
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "micro-config-"));
});
after(() => rm(folder, { recursive: true }));

async function documentOf(store: StoreDriver, namespace: string): Promise<string> {
  const record = await store.read(table, namespace, signal);
  return Buffer.from(record?.value ?? []).toString();
}

async function putDocument(store: StoreDriver, namespace: string, text: string): Promise<void> {
  await store.write(table, { key: namespace, value: Buffer.from(text), metadata: {}, expiresAt: undefined }, signal);
}

describe("EmbeddedConfig", () => {
  configConformance(it, {
    open: async () => {
      const store = await openEmbeddedStore();
      const config = new EmbeddedConfig({ store, key: randomBytes(32) });
      config[Symbol.asyncDispose] = () => store[Symbol.asyncDispose]();
      return config;
    },
  });

  it("keeps nothing but the latest value for a watcher who doesn't read, and forgets who leaves", async () => {
    await using store = await openEmbeddedStore();
    await using config = new EmbeddedConfig({ store, key: undefined });
    const values = (await config.watch("acme", ["n"], false, signal))[Symbol.asyncIterator]();
    for (let n = 1; n <= 100; n++) await config.set("acme", ["n"], n, false, signal);
    assert.deepEqual(await values.next(), { value: 100, done: false });
    assert.equal(config.watches, 1);
    await values.return?.();
    assert.equal(config.watches, 0);
    const abort = new AbortController();
    await config.watch("acme", [], false, abort.signal);
    abort.abort();
    assert.equal(config.watches, 0);
  });

  it("ends a watch whose secret can't be opened, and hurts nobody else", async () => {
    await using store = await openEmbeddedStore();
    const key = randomBytes(32);
    await new EmbeddedConfig({ store, key }).set("acme", ["pw"], "hunter2", true, signal);
    await using sealed = new EmbeddedConfig({ store, key: undefined });
    await assert.rejects(sealed.watch("acme", [], true, signal), { code: 412 });
    const masked = (await sealed.watch("acme", ["pw"], false, signal))[Symbol.asyncIterator]();
    const clear = (await sealed.watch("acme", ["n"], true, signal))[Symbol.asyncIterator]();
    assert.equal((await masked.next()).value, "[secret]");
    await clear.next();
    await sealed.set("acme", ["n"], 1, false, signal);
    assert.equal((await clear.next()).value, 1);
  });

  it("seals secrets without a key and lets the rest work (CF-02)", async () => {
    await using store = await openEmbeddedStore();
    const key = randomBytes(32);
    await new EmbeddedConfig({ store, key }).set("acme", ["pw"], "hunter2", true, signal);
    const sealed = new EmbeddedConfig({ store, key: undefined });
    await assert.rejects(sealed.set("acme", ["other"], "x", true, signal), {
      code: 412,
      message: /secrets are sealed.*MICRO_CONFIG_SECRET_KEY/,
    });
    await assert.rejects(sealed.get("acme", ["pw"], true, signal), { code: 412 });
    assert.equal(await sealed.get("acme", ["pw"], false, signal), "[secret]");
    await sealed.set("acme", ["plain"], 1, false, signal);
    const wrong = new EmbeddedConfig({ store, key: randomBytes(32) });
    await assert.rejects(wrong.get("acme", ["pw"], true, signal), { code: 412, message: /another key/ });
    assert.equal(await new EmbeddedConfig({ store, key }).get("acme", ["pw"], true, signal), "hunter2");
    assert.throws(() => new EmbeddedConfig({ store, key: randomBytes(16) }), { code: 400 });
  });

  it("opens no secret that was moved to another path or namespace (CF-03)", async () => {
    await using store = await openEmbeddedStore();
    const config = new EmbeddedConfig({ store, key: randomBytes(32) });
    await config.set("acme", ["a"], "secret", true, signal);
    const text = await documentOf(store, "acme");
    await putDocument(store, "acme", text.replace('"a"', '"b"'));
    await assert.rejects(config.get("acme", ["b"], true, signal), { code: 500, message: /damaged or moved/ });
    await putDocument(store, "other", text);
    await assert.rejects(config.get("other", ["a"], true, signal), { code: 500 });
  });

  it("writes no secret in clear (CF-01)", async () => {
    const dataDir = join(folder, "clear");
    const canary = `canary-${randomBytes(12).toString("hex")}`;
    {
      await using store = await openEmbeddedStore({ dataDir });
      const config = new EmbeddedConfig({ store, key: await openConfigKey(dataDir) });
      await config.set("acme", ["a", "b"], { c: canary, d: [canary] }, true, signal);
      assert.ok(!(await documentOf(store, "acme")).includes(canary));
    }
    for (const entry of await readdir(dataDir, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const bytes = await readFile(join(entry.parentPath, entry.name));
      for (const form of [
        canary,
        Buffer.from(canary).toString("hex"),
        Buffer.from(canary).toString("base64").slice(0, -3),
      ]) {
        assert.ok(!bytes.includes(form), `${entry.name} has the secret`);
      }
    }
  });
});

describe("ConfigSecrets", () => {
  const secrets = new ConfigSecrets(randomBytes(32));

  it("refuses every flipped bit and every shortened text with a MicroError (CF-07)", () => {
    const sealed = secrets.seal("acme", ["a"], '"secret"');
    const fails = (text: string) =>
      assert.throws(
        () => secrets.open("acme", ["a"], text),
        (error) => error instanceof MicroError,
      );
    for (let length = 0; length < sealed.length; length++) fails(sealed.slice(0, length));
    const [form, keyId, data = ""] = sealed.split(".");
    const bytes = Buffer.from(data, "base64url");
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      fails(`${form}.${keyId}.${flipped.toString("base64url")}`);
    }
    assert.equal(secrets.open("acme", ["a"], sealed), '"secret"');
  });

  it("tells paths with dots in their keys apart (CF-03)", () => {
    const sealed = secrets.seal("acme", ["a", "b"], "1");
    assert.throws(() => secrets.open("acme", ["a.b"], sealed), { code: 500 });
    assert.notEqual(secrets.seal("acme", ["a", "b"], "1"), sealed);
  });
});

describe("openConfigKey", () => {
  it("makes a key that only this user can read, and finds it again", async () => {
    const dataDir = join(folder, "key");
    const made = await openConfigKey(dataDir);
    assert.equal(made.length, 32);
    assert.deepEqual(Buffer.from(await openConfigKey(dataDir)), Buffer.from(made));
    assert.equal((await stat(join(dataDir, "keys", "config-secret-key"))).mode & 0o777, 0o600);
  });

  it("refuses a key that isn't base64 of 32 bytes and doesn't repeat it", () => {
    for (const text of [
      "",
      "short",
      randomBytes(31).toString("base64"),
      `${randomBytes(32).toString("base64")}x`,
      "?".repeat(44),
    ]) {
      assert.throws(
        () => parseConfigKey(text),
        (error: MicroError) => error.code === 400 && (text === "" || !error.detail.includes(text)),
      );
    }
  });
});
