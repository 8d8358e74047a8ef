import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { platformDatabase } from "@microts/blocks/store";
import { until } from "../../../../testing/src/until.ts";
import { openEmbeddedConfig } from "../config.ts";
import { openEmbeddedStore } from "../store.ts";
import type { KeyRecord } from "./tables.ts";

const rounds = process.env["MICRO_NIGHTLY"] === undefined ? 4 : 60;
const namespaces = 12;
const secretsEach = 3;
const signal = new AbortController().signal;

/**
 * Rotates again and again, and reads 100 secrets a second meanwhile; prints `rotating` at each step, and `FAILED` with the reason at a read that isn't
 * right.
 */
const program = `
  import { writeSync } from "node:fs";
  import { openEmbeddedConfig } from ${JSON.stringify(import.meta.resolve("../config.ts"))};
  import { openEmbeddedStore } from ${JSON.stringify(import.meta.resolve("../store.ts"))};
  const dataDir = process.argv[1];
  const store = await openEmbeddedStore({ dataDir });
  const config = await openEmbeddedConfig({ store, dataDir, rootKeys: undefined });
  const signal = new AbortController().signal;
  let turn = 0;
  setInterval(async () => {
    const [n, k] = [turn % ${namespaces}, turn++ % ${secretsEach}];
    try {
      const value = await config.get("ns" + n, ["k" + k], true, signal);
      if (value !== "secret " + n + "." + k) writeSync(1, "FAILED " + value + "\\n");
    } catch (error) {
      writeSync(1, "FAILED " + error.message + "\\n");
    }
  }, 10);
  for (;;) {
    try {
      for await (const _ of await config.rotate(signal)) writeSync(1, "rotating\\n");
    } catch (error) {
      if (error.code !== 409) throw error;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }`;

/** Runs it until it has rotated for so long, and kills it. */
async function rotateAndDie(dataDir: string, ms: number): Promise<string> {
  const child = spawn(process.execPath, ["--input-type=module", "--eval", program, dataDir], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const closed = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const first = Promise.withResolvers<void>();
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk;
    if (output.includes("rotating")) first.resolve();
  });
  await Promise.race([first.promise, closed]);
  await delay(ms);
  child.kill("SIGKILL");
  await closed;
  return output;
}

describe("a rotation of config keys", () => {
  it("that is killed at any moment fails no read, and the next start ends it (CF-04)", {
    timeout: 280_000,
  }, async () => {
    const dataDir = await mkdtemp(join(tmpdir(), "micro-rotation-"));
    const openAll = async () => {
      const stack = new AsyncDisposableStack();
      const store = stack.use(await openEmbeddedStore({ dataDir }));
      const config = stack.use(await openEmbeddedConfig({ store, dataDir, rootKeys: undefined }));
      return { store, config, [Symbol.asyncDispose]: () => stack.disposeAsync() };
    };
    const rootKeys = async () => {
      const text = await readFile(join(dataDir, "keys", "config-secret-key"), "utf8");
      return text.trim().split("\n");
    };
    const each = async (use: (namespace: string, key: string, secret: string) => Promise<void>) => {
      for (let n = 0; n < namespaces; n++)
        for (let k = 0; k < secretsEach; k++) await use(`ns${n}`, `k${k}`, `secret ${n}.${k}`);
    };
    try {
      {
        await using opened = await openAll();
        await each((namespace, key, secret) => opened.config.set(namespace, [key], secret, true, signal));
      }
      let unfinished = 0;
      for (let round = 0; round < rounds; round++) {
        const before = await rootKeys();
        const ms = randomInt(120);
        const output = await rotateAndDie(dataDir, ms);
        assert.ok(output.includes("rotating"), output);
        assert.equal(output.includes("FAILED"), false, `round ${round}, killed after ${ms} ms: ${output}`);
        if ((await rootKeys()).length > 1) unfinished++;
        await using opened = await openAll();
        await each(async (namespace, key, secret) => {
          assert.equal(await opened.config.get(namespace, [key], true, signal), secret);
        });
        assert.notDeepEqual(await rootKeys(), before);
      }
      assert.ok(unfinished > 0, "no round was killed in the middle");
      {
        await using _ = await openAll();
        await until(rootKeys, ({ length }) => length === 1);
      }
      await using store = await openEmbeddedStore({ dataDir });
      const keyrings = { database: platformDatabase, table: "config-keys" };
      const all = { prefix: "", suffix: "", limit: 0, offset: 0, order: "asc" } as const;
      const records = (await store.list(keyrings, all, signal)).map(
        ({ value }) => JSON.parse(Buffer.from(value).toString()) as KeyRecord,
      );
      assert.equal(records.length, namespaces);
      assert.equal(new Set(records.flatMap(({ keys }) => keys.map(({ root }) => root))).size, 1);
      assert.ok(records.every(({ keys }) => keys.length === 1));
    } finally {
      await rm(dataDir, { recursive: true, force: true });
    }
  });
});
