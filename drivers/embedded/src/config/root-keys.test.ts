import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { lineLog, type MicroError } from "@microts/core";
import { until } from "../../../../testing/src/until.ts";
import { type EmbeddedConfig, openEmbeddedConfig } from "../config.ts";
import { openEmbeddedStore } from "../store.ts";
import { type GivenRootKeys, parseRootKeys } from "./root-keys.ts";

const signal = new AbortController().signal;
let folder = "";
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "micro-root-keys-"));
});
after(() => rm(folder, { recursive: true }));

describe("openEmbeddedConfig", () => {
  const file = (dataDir: string) => join(dataDir, "keys", "config-secret-key");
  const lines = async (dataDir: string) => (await readFile(file(dataDir), "utf8")).trim().split("\n");
  const openAt = async (dataDir: string, rootKeys?: GivenRootKeys) => {
    const stack = new AsyncDisposableStack();
    const store = stack.use(await openEmbeddedStore({ dataDir }));
    const log: string[] = [];
    const write = (line: string) => log.push(line);
    const config = stack.use(await openEmbeddedConfig({ store, dataDir, rootKeys, log: lineLog(write) }));
    return { store, config, log, [Symbol.asyncDispose]: () => stack.disposeAsync() };
  };
  const rotate = async (config: EmbeddedConfig) => {
    for await (const _ of await config.rotate(signal));
  };

  it("makes a key that only this user can read, and finds it again", async () => {
    const dataDir = join(folder, "made");
    {
      await using opened = await openAt(dataDir);
      await opened.config.set("acme", ["pw"], "hunter2", true, signal);
    }
    assert.equal((await stat(file(dataDir))).mode & 0o777, 0o600);
    await using opened = await openAt(dataDir);
    assert.equal(await opened.config.get("acme", ["pw"], true, signal), "hunter2");
  });

  it("seals secrets when the key file is gone or damaged, and never makes another (CF-02)", async () => {
    const dataDir = join(folder, "gone");
    {
      await using opened = await openAt(dataDir);
      await opened.config.set("acme", ["pw"], "hunter2", true, signal);
    }
    const [kept = ""] = await lines(dataDir);
    await rm(file(dataDir));
    {
      await using opened = await openAt(dataDir);
      const sealed = {
        code: 412,
        message: /config-secret-key is missing\. Restore it from a backup, or start .*MICRO_CONFIG/,
      };
      await assert.rejects(opened.config.get("acme", ["pw"], true, signal), sealed);
      await assert.rejects(opened.config.set("other", ["pw"], "x", true, signal), sealed);
      await opened.config.set("acme", ["plain"], 1, false, signal);
    }
    await writeFile(file(dataDir), kept.slice(1));
    {
      await using opened = await openAt(dataDir);
      await assert.rejects(
        opened.config.get("acme", ["pw"], true, signal),
        (error: MicroError) =>
          error.code === 412 && /is damaged/.test(error.detail) && !error.detail.includes(kept.slice(1)),
      );
    }
    assert.deepEqual(await lines(dataDir), [kept.slice(1)]);
    await using opened = await openAt(dataDir, [Buffer.from(kept, "base64")]);
    assert.equal(await opened.config.get("acme", ["pw"], true, signal), "hunter2");
  });

  it("rotates to a new root key in the file, and the old one opens nothing any more (CF-04)", async () => {
    const dataDir = join(folder, "rotated");
    let old: string[];
    {
      await using opened = await openAt(dataDir);
      await opened.config.set("acme", ["pw"], "hunter2", true, signal);
      old = await lines(dataDir);
      await rotate(opened.config);
      assert.equal(await opened.config.get("acme", ["pw"], true, signal), "hunter2");
      assert.match(opened.log.join(""), /config keys were rotated namespaces=1 secrets=1/);
    }
    const now = await lines(dataDir);
    assert.equal(now.length, 1);
    assert.notDeepEqual(now, old);
    assert.equal((await stat(file(dataDir))).mode & 0o777, 0o600);
    await writeFile(file(dataDir), `${old[0]}\n`);
    {
      await using opened = await openAt(dataDir);
      await assert.rejects(opened.config.get("acme", ["pw"], true, signal), { code: 412 });
    }
    await writeFile(file(dataDir), `${now[0]}\n`);
    await using opened = await openAt(dataDir);
    assert.equal(await opened.config.get("acme", ["pw"], true, signal), "hunter2");
  });

  it("leaves everything as it was when the key file can't be written", async () => {
    const dataDir = join(folder, "read-only");
    await using opened = await openAt(dataDir);
    await opened.config.set("acme", ["pw"], "hunter2", true, signal);
    const before = await lines(dataDir);
    // A folder in the file's place: renaming onto it fails for every user, root too.
    await rm(file(dataDir));
    await mkdir(join(file(dataDir), "in-the-way"), { recursive: true });
    await assert.rejects(rotate(opened.config), {
      code: 500,
      message: /config-secret-key can't be written.*as it was/,
    });
    assert.deepEqual(await readdir(join(dataDir, "keys")), ["config-secret-key"]);
    assert.equal(await opened.config.get("acme", ["pw"], true, signal), "hunter2");
    await rm(file(dataDir), { recursive: true });
    await writeFile(file(dataDir), `${before[0]}\n`);
    await rotate(opened.config);
    assert.equal(await opened.config.get("acme", ["pw"], true, signal), "hunter2");
  });

  it("moves to a new key of the setting at the start, from the older ones behind it and from the file (CF-04)", async () => {
    const dataDir = join(folder, "setting");
    const [first, second] = [randomBytes(32), randomBytes(32)];
    {
      await using opened = await openAt(dataDir);
      await opened.config.set("acme", ["pw"], "hunter2", true, signal);
    }
    for (const [given, alone] of [
      [[first], first],
      [[second, first], second],
    ] as const) {
      {
        await using opened = await openAt(dataDir, given);
        assert.equal(await opened.config.get("acme", ["pw"], true, signal), "hunter2");
      }
      await rm(file(dataDir), { force: true });
      await using opened = await openAt(dataDir, [alone]);
      assert.equal(await opened.config.get("acme", ["pw"], true, signal), "hunter2");
    }
    await using wrong = await openAt(dataDir, [first]);
    await assert.rejects(wrong.config.get("acme", ["pw"], true, signal), {
      code: 412,
      message: /behind its own in MICRO_CONFIG_SECRET_KEY, after a comma/,
    });
    await until(
      async () => wrong.log.length,
      (lines) => lines > 0,
    );
    assert.match(
      wrong.log.join(""),
      /error secrets in config are sealed; all else works namespaces=.*acme.* reason=.*behind its own/,
    );
  });

  it("seals secrets when the setting is no key, though the file has one (CF-02)", async () => {
    const dataDir = join(folder, "malformed");
    {
      await using opened = await openAt(dataDir);
      await opened.config.set("acme", ["pw"], "hunter2", true, signal);
    }
    await using sealed = await openAt(dataDir, parseRootKeys("c2hvcnQ="));
    await assert.rejects(sealed.config.get("acme", ["pw"], true, signal), {
      code: 412,
      message: /MICRO_CONFIG_SECRET_KEY is not base64 of 32 bytes/,
    });
    assert.match(sealed.log.join(""), /error secrets in config are sealed; all else works reason=.*is not base64/);
  });
});

describe("parseRootKeys", () => {
  it("refuses what isn't base64 of 32 bytes, and doesn't repeat it", () => {
    const good = randomBytes(32).toString("base64");
    const bad = [
      "short",
      randomBytes(31).toString("base64"),
      `${good}x`,
      "?".repeat(44),
      `${good},`,
      `${good} ${good}`,
    ];
    for (const text of bad) {
      const found = parseRootKeys(text);
      assert.ok("problem" in found && !found.problem.includes(text), text);
    }
    const two = parseRootKeys(`${good}, ${good}`);
    assert.equal("problem" in two || two.length, 2);
  });
});
