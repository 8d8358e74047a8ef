import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { NewAccount } from "@microts/blocks/auth";
import { platformDatabase } from "@microts/blocks/store";
import { type Log, lineLog, verifyToken } from "@microts/core";
import { authConformance } from "../../../blocks/src/auth/conformance.ts";
import { EmbeddedAuth } from "./auth.ts";
import { defaultRefreshLimits } from "./auth-refresh.ts";
import { defaultHashCost } from "./secret-hash.ts";
import { generateSigningKeys, openSigningKeys } from "./signing-keys.ts";
import { openEmbeddedStore } from "./store.ts";

const signal = new AbortController().signal;
const keys = await generateSigningKeys();
/** Far too cheap, for tests that sign in a lot. */
const hashCost = { memoryKiB: 64, passes: 1, lanes: 1 };

const jane: NewAccount = { id: "jane", name: "jane", type: "user", scopes: [], metadata: {}, secret: "the secret" };

describe("EmbeddedAuth", () => {
  authConformance(it, {
    open: async () => {
      const store = await openEmbeddedStore();
      const auth = new EmbeddedAuth({ store, keys, hashCost });
      auth[Symbol.asyncDispose] = () => store[Symbol.asyncDispose]();
      return auth;
    },
  });

  it("keeps accounts, rules and sign-ins over a restart", async () => {
    await using store = await openEmbeddedStore();
    const before = new EmbeddedAuth({ store, keys, hashCost });
    await before.createAccount("acme", jane, signal);
    await before.deleteRule("acme", "default", signal);
    const token = await before.signIn("acme", "jane", jane.secret, 60_000, signal);
    const own = await before.issueToken({ ...jane, issuer: "micro" }, 60_000);
    const after = new EmbeddedAuth({ store, keys, hashCost });
    assert.equal((await after.inspect(token.accessToken)).id, "jane");
    assert.deepEqual(await after.listRules("acme"), []);
    await after.refresh("acme", token.refreshToken, 60_000, signal);
    await after.signIn("acme", "jane", jane.secret, 60_000, signal);
    await assert.rejects(after.inspect(own.accessToken), { code: 401 });
  });

  it("ends a sign-in whose used refresh token comes back after the grace (AU-05)", async () => {
    await using store = await openEmbeddedStore();
    const lines: string[] = [];
    const log: Log = lineLog((line) => lines.push(line));
    const auth = new EmbeddedAuth({ store, keys, hashCost, log, refresh: { ...defaultRefreshLimits, graceMs: 0 } });
    await auth.createAccount("acme", jane, signal);
    const first = await auth.signIn("acme", "jane", jane.secret, 60_000, signal);
    const other = await auth.signIn("acme", "jane", jane.secret, 60_000, signal);
    const second = await auth.refresh("acme", first.refreshToken, 60_000, signal);
    await assert.rejects(auth.refresh("acme", first.refreshToken, 60_000, signal), { code: 401 });
    await assert.rejects(auth.refresh("acme", second.refreshToken, 60_000, signal), { code: 401 });
    await auth.refresh("acme", other.refreshToken, 60_000, signal);
    assert.ok(lines.some((line) => line.includes("revoked")));
    assert.ok(!lines.join("").includes(jane.secret) && !lines.join("").includes(first.refreshToken));
  });

  it("lets refresh tokens expire, a service's sooner", async () => {
    await using store = await openEmbeddedStore();
    const refresh = { graceMs: 0, lifeMs: 60_000, serviceLifeMs: -1 };
    const auth = new EmbeddedAuth({ store, keys, hashCost, refresh });
    await auth.createAccount("acme", jane, signal);
    await auth.createAccount("acme", { ...jane, id: "posts", name: "posts", type: "service" }, signal);
    const user = await auth.signIn("acme", "jane", jane.secret, 60_000, signal);
    const service = await auth.signIn("acme", "posts", jane.secret, 60_000, signal);
    await auth.refresh("acme", user.refreshToken, 60_000, signal);
    await assert.rejects(auth.refresh("acme", service.refreshToken, 60_000, signal), { code: 401 });
  });

  it("hashes secrets with argon2id and keeps neither them nor refresh tokens (AU-09)", async () => {
    await using store = await openEmbeddedStore();
    const auth = new EmbeddedAuth({ store, keys });
    await auth.createAccount("acme", { ...jane, secret: "ünïcödé 秘密 ".repeat(40) }, signal);
    const token = await auth.signIn("acme", "jane", "ünïcödé 秘密 ".repeat(40), 60_000, signal);
    await assert.rejects(auth.signIn("acme", "jane", "ünïcödé 秘密 ".repeat(39), 60_000, signal), { code: 401 });
    const query = { prefix: "", suffix: "", limit: 0, offset: 0, order: "asc" } as const;
    const records = await store.list({ database: platformDatabase, table: "auth" }, query, signal);
    const text = records.map(({ key, value }) => key + Buffer.from(value).toString()).join();
    assert.match(text, /\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    assert.ok(!text.includes("ünïcödé") && !text.includes(token.refreshToken.slice(-43)));
  });

  it("hashes anew at sign-in when the cost has risen (AU-09)", async () => {
    await using store = await openEmbeddedStore();
    await new EmbeddedAuth({ store, keys, hashCost }).createAccount("acme", jane, signal);
    const auth = new EmbeddedAuth({ store, keys, hashCost: { ...hashCost, passes: 3 } });
    const before = await auth.signIn("acme", "jane", jane.secret, 60_000, signal);
    const record = await store.read({ database: platformDatabase, table: "auth" }, "account/acme/jane", signal);
    assert.match(Buffer.from(record?.value ?? []).toString(), /m=64,t=3,p=1/);
    await auth.inspect(before.accessToken);
    await auth.signIn("acme", "jane", jane.secret, 60_000, signal);
  });

  it("takes as long for an unknown account as for a wrong secret (AU-08)", async () => {
    await using store = await openEmbeddedStore();
    const auth = new EmbeddedAuth({ store, keys });
    const samples = 40;
    for (let i = 0; i < samples; i++) {
      await auth.createAccount("acme", { ...jane, id: `u${i}`, name: `u${i}` }, signal);
    }
    const known: number[] = [];
    const unknown: number[] = [];
    const measure = async (id: string, into: number[]) => {
      const start = performance.now();
      await assert.rejects(auth.signIn("acme", id, "wrong", 60_000, signal), { code: 401 });
      into.push(performance.now() - start);
    };
    let ratio = Number.NaN;
    // The fastest of each: whatever else the machine does only adds to the others. A busy one needs more of them until two were left alone.
    for (let i = 0; i < 10 * samples && !(ratio > 0.75 && ratio < 1.33); ) {
      for (const until = i + samples; i < until; i++) {
        await measure(`u${i % samples}`, known);
        await measure(`x${i % samples}`, unknown);
      }
      ratio = Math.min(...unknown) / Math.min(...known);
    }
    assert.ok(ratio > 0.75 && ratio < 1.33, `unknown accounts took ${ratio.toFixed(2)} times as long`);
  });

  it("leaves the event loop free while it hashes (AU-10)", async () => {
    await using store = await openEmbeddedStore();
    const auth = new EmbeddedAuth({ store, keys, hashCost: defaultHashCost });
    await auth.createAccount("acme", jane, signal);
    const [processBefore, threadBefore] = [process.cpuUsage(), process.threadCpuUsage()];
    await Promise.all(Array.from({ length: 32 }, () => auth.signIn("acme", "jane", jane.secret, 60_000, signal)));
    const all = totalOf(process.cpuUsage(processBefore));
    const loop = totalOf(process.threadCpuUsage(threadBefore));
    assert.ok(loop < all / 4, `${loop} of ${all} µs were spent on the event loop's thread`);
  });
});

describe("openSigningKeys", () => {
  let folder = "";
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "micro-keys-"));
  });
  after(() => rm(folder, { recursive: true }));

  it("makes keys that only this user can read, and finds them again", async () => {
    const made = await openSigningKeys(folder);
    const found = await openSigningKeys(folder);
    assert.equal(found.keyId, made.keyId);
    assert.equal(made.privateKey.asymmetricKeyDetails?.modulusLength, 3072);
    const [file] = await readdir(join(folder, "keys"));
    assert.equal((await stat(join(folder, "keys", file ?? ""))).mode & 0o777, 0o600);
    assert.match(await readFile(join(folder, "keys", file ?? ""), "utf8"), /BEGIN PRIVATE KEY/);
    await using store = await openEmbeddedStore();
    const token = await new EmbeddedAuth({ store, keys: made }).issueToken({ ...jane, issuer: "micro" }, 1000);
    assert.equal(verifyToken(token.accessToken, found.publicKey).sub, "jane");
  });

  it("says what to do about a damaged file", async () => {
    await writeFile(join(folder, "keys", "signing.pem"), "nonsense");
    await assert.rejects(openSigningKeys(folder), { code: 500, message: /signing\.pem is damaged\. Restore it/ });
  });
});

function totalOf({ user, system }: NodeJS.CpuUsage): number {
  return user + system;
}
