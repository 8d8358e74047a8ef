import { deepEqual, equal, notEqual, ok, rejects } from "node:assert/strict";
import type { AuthDriver, NewAccount, Rule } from "./driver.ts";

type Test = (name: string, run: () => Promise<void>) => unknown;

export interface AuthHarness {
  /** An empty driver of its own. */
  open(): Promise<AuthDriver>;
  /** Why the driver can't give identities and tokens of the server itself; undefined when it can. */
  readonly cannotIssue?: string;
}

const signal = new AbortController().signal;
const ttlMs = 60_000;

function account(id: string, more: Partial<NewAccount> = {}): NewAccount {
  return { id, name: id, type: "user", scopes: [], metadata: {}, secret: `secret of ${id}`, ...more };
}

function rule(id: string, more: Partial<Rule> = {}): Rule {
  const resource = { type: "service", name: "posts", endpoint: "*" };
  return { id, scope: "*", resource, access: "granted", priority: 0, ...more };
}

/** What every auth driver promises; one test for each sentence of `driver.ts`. */
export function authConformance(test: Test, harness: AuthHarness): void {
  accountTests(test, harness);
  tokenTests(test, harness);
  ruleTests(test, harness);
  issuerTests(test, harness);
}

function accountTests(test: Test, { open }: AuthHarness): void {
  test("creates an account and lists it by id, ascending", async () => {
    await using driver = await open();
    await driver.createAccount("acme", account("zoe"), signal);
    const made = await driver.createAccount(
      "acme",
      account("jane", { name: "Jane", scopes: ["a"], metadata: { k: "v" } }),
      signal,
    );
    const { id, name, type, issuer, scopes, metadata } = made;
    deepEqual(
      { id, name, type, issuer, scopes },
      { id: "jane", name: "Jane", type: "user", issuer: "acme", scopes: ["a"] },
    );
    equal(metadata["k"], "v");
    deepEqual(
      (await driver.listAccounts("acme", signal)).map((each) => each.id),
      ["jane", "zoe"],
    );
    deepEqual((await driver.listAccounts("acme", signal))[0], made);
  });

  test("refuses an id or name that is taken, as an id or as a name", async () => {
    await using driver = await open();
    await driver.createAccount("acme", account("jane", { name: "Jane" }), signal);
    for (const taken of [
      account("jane"),
      account("x", { name: "Jane" }),
      account("Jane"),
      account("y", { name: "jane" }),
    ]) {
      await rejects(driver.createAccount("acme", taken, signal), { code: 409 });
    }
    await driver.createAccount("other", account("jane"), signal);
  });

  test("makes one of many accounts of the same name that are created at once", async () => {
    await using driver = await open();
    const tries = Array.from({ length: 8 }, (_, i) =>
      driver.createAccount("acme", account(`j${i}`, { name: "j" }), signal),
    );
    const results = await Promise.allSettled(tries);
    equal(results.filter(({ status }) => status === "fulfilled").length, 1);
    equal((await driver.listAccounts("acme", signal)).length, 1);
  });

  test("deletes an account with its tokens", async () => {
    await using driver = await open();
    await driver.createAccount("acme", account("jane"), signal);
    const token = await driver.signIn("acme", "jane", "secret of jane", ttlMs, signal);
    await driver.deleteAccount("acme", "jane", signal);
    deepEqual(await driver.listAccounts("acme", signal), []);
    await rejects(driver.inspect(token.accessToken, signal), { code: 401 });
    await rejects(driver.refresh("acme", token.refreshToken, ttlMs, signal), { code: 401 });
    await driver.createAccount("acme", account("jane"), signal);
    await rejects(driver.inspect(token.accessToken, signal), { code: 401 });
    await rejects(driver.refresh("acme", token.refreshToken, ttlMs, signal), { code: 401 });
  });

  test("refuses to delete an account that isn't there", async () => {
    await using driver = await open();
    await rejects(driver.deleteAccount("acme", "jane", signal), { code: 404 });
  });

  test("keeps the last admin of micro (AU-02)", async () => {
    await using driver = await open();
    await driver.createAccount("micro", account("root", { scopes: ["admin"] }), signal);
    await driver.createAccount("micro", account("jane"), signal);
    await rejects(driver.deleteAccount("micro", "root", signal), { code: 400 });
    await driver.createAccount("micro", account("second", { scopes: ["admin"] }), signal);
    await driver.deleteAccount("micro", "root", signal);
    await rejects(driver.deleteAccount("micro", "second", signal), { code: 400 });
  });

  test("changes a secret, which ends the account's tokens (AU-06)", async () => {
    await using driver = await open();
    await driver.createAccount("acme", account("jane"), signal);
    const token = await driver.signIn("acme", "jane", "secret of jane", ttlMs, signal);
    await driver.changeSecret("acme", "jane", "secret of jane", "other", signal);
    await rejects(driver.inspect(token.accessToken, signal), { code: 401 });
    await rejects(driver.refresh("acme", token.refreshToken, ttlMs, signal), { code: 401 });
    await rejects(driver.signIn("acme", "jane", "secret of jane", ttlMs, signal), { code: 401 });
    const fresh = await driver.signIn("acme", "jane", "other", ttlMs, signal);
    equal((await driver.inspect(fresh.accessToken, signal)).id, "jane");
    await driver.changeSecret("acme", "jane", undefined, "third", signal);
    await driver.signIn("acme", "jane", "third", ttlMs, signal);
  });

  test("refuses to change a secret with a wrong old one or of nobody", async () => {
    await using driver = await open();
    await driver.createAccount("acme", account("jane"), signal);
    await rejects(driver.changeSecret("acme", "jane", "wrong", "other", signal), { code: 401 });
    await rejects(driver.changeSecret("acme", "joe", undefined, "other", signal), { code: 404 });
    await driver.signIn("acme", "jane", "secret of jane", ttlMs, signal);
  });
}

function tokenTests(test: Test, { open }: AuthHarness): void {
  test("signs in by id or name, with a token that proves the account until it expires", async () => {
    await using driver = await open();
    const made = await driver.createAccount("acme", account("jane@acme.org", { name: "jane", scopes: ["s"] }), signal);
    for (const id of ["jane@acme.org", "jane"]) {
      const token = await driver.signIn("acme", id, "secret of jane@acme.org", ttlMs, signal);
      ok(Math.abs(token.expiry.getTime() - Date.now() - ttlMs) < 5000);
      deepEqual(await driver.inspect(token.accessToken, signal), made);
    }
  });

  test("gives the same error for an unknown account and a wrong secret (AU-08)", async () => {
    await using driver = await open();
    await driver.createAccount("acme", account("jane"), signal);
    const wrong = await driver.signIn("acme", "jane", "wrong", ttlMs, signal).catch((error: unknown) => error);
    const unknown = await driver.signIn("acme", "joe", "wrong", ttlMs, signal).catch((error: unknown) => error);
    equal(JSON.stringify(wrong), JSON.stringify(unknown));
    await rejects(driver.signIn("acme", "jane", "wrong", ttlMs, signal), { code: 401 });
  });

  test("lets ten wrong tries a minute through, then says how long to wait (AU-07)", async () => {
    await using driver = await open();
    await driver.createAccount("acme", account("jane"), signal);
    await driver.createAccount("acme", account("joe"), signal);
    const tries = Array.from({ length: 30 }, () => driver.signIn("acme", "jane", "wrong", ttlMs, signal));
    const codes = (await Promise.allSettled(tries)).map((each) => each.status === "rejected" && each.reason.code);
    equal(codes.filter((code) => code === 401).length, 10);
    equal(codes.filter((code) => code === 429).length, 20);
    await rejects(driver.signIn("acme", "jane", "secret of jane", ttlMs, signal), {
      code: 429,
      message: /again in \d+ s/,
    });
    await driver.signIn("acme", "joe", "secret of joe", ttlMs, signal);
  });

  test("signs the same account in many times at once", async () => {
    await using driver = await open();
    await driver.createAccount("acme", account("jane"), signal);
    const tries = Array.from({ length: 24 }, () => driver.signIn("acme", "jane", "secret of jane", ttlMs, signal));
    const tokens = await Promise.all(tries);
    equal(new Set(tokens.map(({ refreshToken }) => refreshToken)).size, 24);
  });

  test("exchanges a refresh token for a new token; the same one again gives the same successor (AU-05)", async () => {
    await using driver = await open();
    await driver.createAccount("acme", account("jane"), signal);
    const first = await driver.signIn("acme", "jane", "secret of jane", ttlMs, signal);
    const tries = Array.from({ length: 20 }, () => driver.refresh("acme", first.refreshToken, ttlMs, signal));
    const tokens = await Promise.all(tries);
    equal(new Set(tokens.map(({ refreshToken }) => refreshToken)).size, 1);
    const second = tokens[0];
    ok(second !== undefined);
    notEqual(second.refreshToken, first.refreshToken);
    equal((await driver.inspect(second.accessToken, signal)).id, "jane");
    const third = await driver.refresh("acme", second.refreshToken, ttlMs, signal);
    notEqual(third.refreshToken, second.refreshToken);
  });

  test("takes no token for another kind (AU-04)", async () => {
    await using driver = await open();
    await driver.createAccount("acme", account("jane"), signal);
    const { accessToken, refreshToken } = await driver.signIn("acme", "jane", "secret of jane", ttlMs, signal);
    await rejects(driver.refresh("acme", accessToken, ttlMs, signal), { code: 401 });
    await rejects(driver.signIn("acme", "jane", accessToken.slice(0, 1024), ttlMs, signal), { code: 401 });
    await rejects(driver.signIn("acme", "jane", refreshToken, ttlMs, signal), { code: 401 });
    await rejects(driver.inspect(refreshToken, signal), { code: 401 });
    await rejects(driver.inspect("", signal), { code: 401 });
    await rejects(driver.refresh("acme", refreshToken.slice(0, -1), ttlMs, signal), { code: 401 });
  });

  test("keeps namespaces apart, those with similar names too (AU-12)", async () => {
    await using driver = await open();
    const namespaces = ["a", "ab", "a-b", "b"];
    for (const namespace of namespaces) {
      await driver.createAccount(namespace, account("jane", { secret: `secret in ${namespace}` }), signal);
    }
    for (const own of namespaces) {
      const token = await driver.signIn(own, "jane", `secret in ${own}`, ttlMs, signal);
      equal((await driver.inspect(token.accessToken, signal)).issuer, own);
      for (const other of namespaces.filter((each) => each !== own)) {
        await rejects(driver.signIn(other, "jane", `secret in ${own}`, ttlMs, signal), { code: 401 });
        await rejects(driver.refresh(other, token.refreshToken, ttlMs, signal), { code: 401 });
      }
      await driver.refresh(own, token.refreshToken, ttlMs, signal);
      deepEqual(
        (await driver.listAccounts(own, signal)).map(({ issuer }) => issuer),
        [own],
      );
    }
    await driver.deleteAccount("a", "jane", signal);
    await driver.signIn("ab", "jane", "secret in ab", ttlMs, signal);
    await driver.signIn("a-b", "jane", "secret in a-b", ttlMs, signal);
  });
}

function ruleTests(test: Test, { open }: AuthHarness): void {
  test("begins a namespace with the default rule, which stays away once deleted (AU-02)", async () => {
    await using driver = await open();
    const resource = { type: "service", name: "*", endpoint: "*" };
    deepEqual(await driver.listRules("acme", signal), [
      { id: "default", scope: "", resource, access: "granted", priority: 0 },
    ]);
    await driver.deleteRule("acme", "default", signal);
    deepEqual(await driver.listRules("acme", signal), []);
    await driver.createRule("acme", rule("one"), signal);
    await driver.deleteRule("acme", "one", signal);
    deepEqual(await driver.listRules("acme", signal), []);
    equal((await driver.listRules("other", signal)).length, 1);
  });

  test("lists rules by priority descending, then id", async () => {
    await using driver = await open();
    await driver.createRule("acme", rule("b", { priority: 5 }), signal);
    await driver.createRule("acme", rule("a", { access: "denied" }), signal);
    await driver.createRule("acme", rule("c", { priority: -5 }), signal);
    const rules = await driver.listRules("acme", signal);
    deepEqual(
      rules.map(({ id }) => id),
      ["b", "a", "default", "c"],
    );
    deepEqual(rules[1], rule("a", { access: "denied" }));
  });

  test("refuses a rule whose id is taken and to delete one that isn't there", async () => {
    await using driver = await open();
    await driver.createRule("acme", rule("one"), signal);
    await rejects(driver.createRule("acme", rule("one"), signal), { code: 409 });
    await rejects(driver.createRule("acme", rule("default"), signal), { code: 409 });
    await rejects(driver.deleteRule("acme", "two", signal), { code: 404 });
  });

  test("loses no rule of many that are created at once", async () => {
    await using driver = await open();
    await Promise.all(Array.from({ length: 20 }, (_, i) => driver.createRule("acme", rule(`r${i}`), signal)));
    equal((await driver.listRules("acme", signal)).length, 21);
  });
}

function issuerTests(test: Test, { open, cannotIssue }: AuthHarness): void {
  const service = account("posts-v1", {
    type: "service",
    scopes: ["service"],
    metadata: { service: "posts", version: "v1" },
  });
  if (cannotIssue !== undefined) {
    test(`says that it can't issue identities: ${cannotIssue}`, async () => {
      await using driver = await open();
      await rejects(driver.putServiceAccount("acme", service, signal), { code: 501 });
    });
    return;
  }

  test("gives a service a new secret and leaves its tokens alive", async () => {
    await using driver = await open();
    await driver.putServiceAccount("acme", service, signal);
    const token = await driver.signIn("acme", "posts-v1", service.secret, ttlMs, signal);
    await driver.putServiceAccount("acme", { ...service, secret: "new" }, signal);
    equal((await driver.inspect(token.accessToken, signal)).type, "service");
    await driver.refresh("acme", token.refreshToken, ttlMs, signal);
    await driver.signIn("acme", "posts-v1", "new", ttlMs, signal);
    await rejects(driver.signIn("acme", "posts-v1", service.secret, ttlMs, signal), { code: 401 });
  });

  test("gives a service no identity that is somebody else's", async () => {
    await using driver = await open();
    await driver.createAccount("acme", account("posts-v1"), signal);
    await rejects(driver.putServiceAccount("acme", service, signal), { code: 409 });
  });

  test("issues a token to an account without a record", async () => {
    await using driver = await open();
    const own = { id: "server", name: "server", type: "user", issuer: "micro", scopes: ["admin"], metadata: {} };
    const token = await driver.issueToken(own, ttlMs, signal);
    equal(token.refreshToken, "");
    deepEqual(await driver.inspect(token.accessToken, signal), own);
  });
}
