import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Account, MicroError } from "@microts/core";
import { serviceClient } from "@microts/core/rpc";
import { EmbeddedAuth, generateSigningKeys, openEmbeddedStore } from "@microts/driver-embedded";
import { Access, Accounts, Auth as AuthService, Rules } from "@microts/proto/auth";
import { serveMethods, testAdmin } from "@microts/testing";
import { Auth } from "./auth.ts";
import { authMethods } from "./service.ts";

const keys = await generateSigningKeys();
const hashCost = { memoryKiB: 64, passes: 1, lanes: 1 };

interface Fixture extends AsyncDisposable {
  readonly auth: Auth;
  /** Clients whose calls come from this account. */
  as(account: Account | undefined): Promise<Clients>;
}

type Clients = Awaited<ReturnType<typeof clientsOf>>;

async function clientsOf(auth: Auth, account: Account | undefined, stack: AsyncDisposableStack) {
  const { rpc } = stack.use(await serveMethods("auth", authMethods(auth), { account }));
  return {
    auth: serviceClient(AuthService, rpc, "auth"),
    accounts: serviceClient(Accounts, rpc, "auth"),
    rules: serviceClient(Rules, rpc, "auth"),
  };
}

async function open(): Promise<Fixture> {
  const stack = new AsyncDisposableStack();
  const store = stack.use(await openEmbeddedStore());
  const auth = new Auth(new EmbeddedAuth({ store, keys, hashCost }));
  return {
    auth,
    as: (account) => clientsOf(auth, account, stack),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

function user(issuer: string, scopes: readonly string[] = [], id = "jane"): Account {
  return { id, name: id, type: "user", issuer, scopes, metadata: {} };
}

async function detailOf(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => assert.fail("it succeeded"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof MicroError, String(error));
  return `${error.code} ${error.id}: ${error.detail}`;
}

describe("Auth", () => {
  it("makes one admin with a random password at the first start, and no other (AU-01, AU-02)", async () => {
    await using fixture = await open();
    const { auth } = fixture;
    const password = await auth.bootstrapAdmin();
    assert.ok(password !== undefined && password.length >= 22);
    await auth.signIn("admin", password);
    assert.equal(await auth.bootstrapAdmin(), undefined);
    assert.equal(await auth.bootstrapAdmin("another"), undefined);
    await assert.rejects(auth.signIn("admin", "micro"), { code: 401 });
    await assert.rejects(auth.signIn("admin", "another"), { code: 401 });
    await assert.rejects(auth.deleteAccount("admin"), { code: 400 });
    assert.deepEqual((await auth.listAccounts())[0]?.scopes, ["admin"]);
  });

  it("takes a given admin password and doesn't repeat it", async () => {
    await using fixture = await open();
    assert.equal(await fixture.auth.bootstrapAdmin("given by the owner"), undefined);
    await fixture.auth.signIn("admin", "given by the owner");
  });

  it("cuts an access token's life to an hour and defaults to 15 minutes", async () => {
    await using fixture = await open();
    const { auth } = fixture;
    await auth.bootstrapAdmin("password");
    const minutes = async (ttlMs: number) => {
      const { created, expiry } = await auth.signIn("admin", "password", { ttlMs });
      return Math.round((expiry.getTime() - created.getTime()) / 60_000);
    };
    assert.equal(await minutes(0), 15);
    assert.equal(await minutes(10 * 60_000), 10);
    assert.equal(await minutes(1e12), 60);
    assert.equal(await minutes(Number.NaN), 15);
  });

  it("refuses bad ids, secrets, namespaces, types, scopes and rules", async () => {
    await using fixture = await open();
    const { auth } = fixture;
    const bad = [
      auth.createAccount({ id: "" }),
      auth.createAccount({ id: "x".repeat(129) }),
      auth.createAccount({ id: "a\nb" }),
      auth.createAccount({ id: " a" }),
      auth.createAccount({ id: "a", secret: " " }),
      auth.createAccount({ id: "a", secret: "x".repeat(1025) }),
      auth.createAccount({ id: "a", type: "Big Boss" }),
      auth.createAccount({ id: "a", scopes: ["*"] }),
      auth.createAccount({ id: "a", scopes: [""] }),
      auth.createAccount({ id: "a", metadata: { k: "x".repeat(5000) } }),
      ...["A", "a/b", "a%2fb", "-a", "a".repeat(64), "ä"].map((namespace) =>
        auth.createAccount({ id: "a" }, { namespace }),
      ),
      auth.changeSecret("a", undefined, ""),
      auth.signIn("", "x"),
      auth.createRule({
        id: "",
        scope: "",
        resource: { type: "*", name: "*", endpoint: "*" },
        access: "granted",
        priority: 0,
      }),
      auth.createRule({
        id: "r",
        scope: "",
        resource: { type: "*", name: "", endpoint: "*" },
        access: "granted",
        priority: 0,
      }),
      auth.createRule({
        id: "r",
        scope: "",
        resource: { type: "*", name: "*", endpoint: "*" },
        access: "granted",
        priority: 0.5,
      }),
    ];
    for (const result of await Promise.allSettled(bad)) {
      assert.equal(result.status === "rejected" && result.reason.code, 400);
    }
  });

  it("says who was refused what, by which rule, and what to do", async () => {
    await using fixture = await open();
    const { auth } = fixture;
    const resource = { type: "service", name: "posts", endpoint: "Posts.Save" };
    await auth.authorize(undefined, "acme", resource);
    await auth.createRule(
      { id: "shut", scope: "", resource: { ...resource, endpoint: "*" }, access: "denied", priority: 1 },
      { namespace: "acme" },
    );
    const forbidden = await detailOf(auth.authorize(user("acme"), "acme", resource));
    assert.match(
      forbidden,
      /^403 posts: Forbidden call made to posts:Posts\.Save by jane: .*user "jane" of "acme".*rule "shut" of "acme" denies.*micro auth create rule/,
    );
    const unauthorized = await detailOf(auth.authorize(undefined, "acme", resource));
    assert.match(unauthorized, /^401 posts: Unauthorized call made to posts:Posts\.Save: .*micro login/);
    await auth.deleteRule("shut", { namespace: "acme" });
    await auth.authorize(user("acme"), "acme", resource);
    await auth.deleteRule("default", { namespace: "acme" });
    assert.match(await detailOf(auth.authorize(user("acme"), "acme", resource)), /no rule of "acme" grants it/);
  });

  it("gives a service an identity and takes it away (AU-14)", async () => {
    await using fixture = await open();
    const { auth } = fixture;
    const { id, secret } = await auth.issueServiceAccount("acme", "posts", "latest");
    assert.equal(id, "posts-latest");
    const { accessToken, refreshToken } = await auth.signIn(id, secret, { namespace: "acme" });
    const account = await auth.verify(`Bearer ${accessToken}`);
    assert.deepEqual([account?.type, account?.scopes, account?.issuer], ["service", ["service"], "acme"]);
    await assert.rejects(auth.issueServiceAccount("acme", "posts", "latest\n"), { code: 400 });
    await auth.removeServiceAccount("acme", "posts", "latest");
    await auth.removeServiceAccount("acme", "posts", "latest");
    await assert.rejects(auth.verify(`Bearer ${accessToken}`), { code: 401 });
    await assert.rejects(auth.refresh(refreshToken, { namespace: "acme" }), { code: 401 });
  });
});

describe("the auth service", () => {
  it("answers each rpc only to those who may call it", async () => {
    await using fixture = await open();
    const options = { namespace: "acme" };
    const resource = { type: "service", name: "*", endpoint: "*" };
    const calls = (clients: Clients) => [
      clients.auth.generate({ id: "x", options }),
      clients.accounts.list({ options }),
      clients.accounts.delete({ id: "y", options }),
      clients.rules.create({ rule: { id: "r", resource, access: Access.DENIED }, options }),
      clients.rules.delete({ id: "r", options }),
      clients.accounts.changeSecret({ id: "x", oldSecret: "a", newSecret: "b", options }),
      clients.rules.list({ options }),
    ];
    const codes = async (account: Account | undefined) =>
      (await Promise.allSettled(calls(await fixture.as(account)))).map((each) =>
        each.status === "rejected" ? each.reason.code : 200,
      );
    assert.deepEqual(await codes(undefined), [401, 401, 401, 401, 401, 401, 401]);
    assert.deepEqual(await codes(user("other", ["admin"])), [403, 403, 403, 403, 403, 403, 403]);
    assert.deepEqual(await codes(user("acm", ["admin"])), [403, 403, 403, 403, 403, 403, 403]);
    assert.deepEqual(await codes(user("micro")), [403, 403, 403, 403, 403, 403, 403]);
    assert.deepEqual(await codes(user("acme")), [403, 403, 403, 403, 403, 404, 200]);
  });

  it("makes an account with a secret of its own and signs it in with the original's shapes", async () => {
    await using fixture = await open();
    const { auth } = await fixture.as(testAdmin);
    const { account } = await auth.generate({ id: "jane@acme.org", options: { namespace: "acme" } });
    assert.ok(account !== undefined && account.secret.length >= 22);
    assert.deepEqual([account.type, account.name, account.issuer], ["user", "jane@acme.org", "acme"]);
    const anybody = await fixture.as(undefined);
    const { token } = await anybody.auth.token({
      id: "jane@acme.org",
      secret: account.secret,
      tokenExpiry: 60n,
      options: { namespace: "acme" },
    });
    const life = Number((token?.expiry ?? 0n) - (token?.created ?? 0n));
    assert.ok(life === 60 || life === 61);
    const inspected = await anybody.auth.inspect({ token: token?.accessToken ?? "" });
    assert.equal(inspected.account?.secret, "");
    const again = await anybody.auth.token({ refreshToken: token?.refreshToken ?? "", options: { namespace: "acme" } });
    assert.notEqual(again.token?.refreshToken, token?.refreshToken);
    assert.match(
      await detailOf(anybody.auth.token({})),
      /^400 auth\.Auth\.Token: Credentials or a refresh token required/,
    );
  });

  it("refuses to delete one's own account", async () => {
    await using fixture = await open();
    const { accounts } = await fixture.as(user("micro", ["admin"], "root"));
    assert.match(await detailOf(accounts.delete({ id: "root" })), /^400 .*Can't delete your own account/);
  });

  it("wants the old secret from all but admins of micro and services of the namespace", async () => {
    await using fixture = await open();
    await fixture.auth.createAccount({ id: "jane", secret: "old" }, { namespace: "acme" });
    const change = async (account: Account, oldSecret: string, newSecret: string) =>
      (await fixture.as(account)).accounts.changeSecret({
        id: "jane",
        oldSecret,
        newSecret,
        options: { namespace: "acme" },
      });
    await assert.rejects(change(user("acme"), "", "stolen"), { code: 400 });
    await assert.rejects(change(user("acme", ["admin"]), "", "stolen"), { code: 400 });
    await change(user("acme"), "old", "second");
    await change(testAdmin, "", "third");
    await change({ ...user("acme", ["service"]), type: "service" }, "", "fourth");
    await fixture.auth.signIn("jane", "fourth", { namespace: "acme" });
    assert.match(await detailOf(change(testAdmin, "", "")), /^400 .*New secret should not be blank/);
  });

  it("refuses incomplete rules with the original's words", async () => {
    await using fixture = await open();
    const { rules } = await fixture.as(testAdmin);
    const resource = { type: "service", name: "*", endpoint: "*" };
    assert.match(await detailOf(rules.create({})), /Rule missing/);
    assert.match(await detailOf(rules.create({ rule: {} })), /ID missing/);
    assert.match(await detailOf(rules.create({ rule: { id: "r" } })), /Resource missing/);
    assert.match(await detailOf(rules.create({ rule: { id: "r", resource } })), /Access missing/);
    await rules.create({ rule: { id: "r", resource, access: Access.GRANTED } });
    assert.match(
      await detailOf(rules.create({ rule: { id: "r", resource, access: Access.GRANTED } })),
      /^409 .*A rule with this ID already exists/,
    );
  });
});
