import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { type DashboardAnswer, DashboardUnderTest, jane } from "../../../testing/src/dashboard.ts";

let dashboard: DashboardUnderTest;

beforeEach(async () => {
  dashboard = await DashboardUnderTest.open();
});
afterEach(() => dashboard[Symbol.asyncDispose]());

describe("sessions", () => {
  it("signs in with a cookie that scripts and other sites can't use (DB-03)", async () => {
    const response = await dashboard.post("/api/login", { id: "jane", password: "right" });
    assert.equal(response.status, 200);
    assert.deepEqual(json(response), { account: jane.account, namespace: "acme" });
    const [cookie = ""] = response.headers["set-cookie"] ?? [];
    assert.match(cookie, /^micro-session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=43200$/);
    assert.ok(!response.text.includes(jane.token));
  });

  it("refuses a wrong password without a cookie", async () => {
    const response = await dashboard.post("/api/login", { id: "jane", password: "wrong" });
    assert.equal(response.status, 401);
    assert.equal(response.headers["set-cookie"], undefined);
    assert.equal(json(response).detail, "wrong account or password");
  });

  it("knows who is signed in, and that nobody is", async () => {
    assert.equal((await dashboard.get("/api/session")).status, 401);
    assert.equal((await dashboard.get("/api/session", { cookie: "micro-session=guessed" })).status, 401);
    const response = await dashboard.get("/api/session", { cookie: `other=1; ${await dashboard.signIn()}` });
    assert.deepEqual(json(response), { account: jane.account, namespace: "acme" });
  });

  it("gives a new id at every login and kills the old one (DB-03)", async () => {
    const first = await dashboard.signIn();
    const second = await dashboard.signIn({ cookie: first });
    assert.notEqual(first, second);
    assert.equal((await dashboard.get("/api/session", { cookie: first })).status, 401);
    assert.equal((await dashboard.get("/api/session", { cookie: second })).status, 200);
  });

  it("never adopts an id that the browser brought (DB-03)", async () => {
    const planted = `micro-session=${"a".repeat(43)}`;
    assert.notEqual(await dashboard.signIn({ cookie: planted }), planted);
    assert.equal((await dashboard.get("/api/session", { cookie: planted })).status, 401);
  });

  it("is dead on the server the moment it signs out, running calls included (DB-03)", async () => {
    const cookie = await dashboard.signIn();
    const stream = await dashboard.openStream(cookie);
    await once(stream, "data");
    const ended = once(stream, "end");
    const out = await dashboard.post("/api/logout", {}, { cookie });
    assert.equal(out.status, 204);
    assert.match(out.headers["set-cookie"]?.[0] ?? "", /^micro-session=; .*Max-Age=0$/);
    assert.equal((await dashboard.get("/api/session", { cookie })).status, 401);
    await ended;
    assert.deepEqual(dashboard.backend.cancelled, ["Stream.Endless"]);
  });

  it("ends with the account that it belongs to (DB-03)", async () => {
    const cookie = await dashboard.signIn();
    dashboard.backend.isRevoked = true;
    assert.equal((await dashboard.get("/api/services", { cookie })).status, 401);
    dashboard.backend.isRevoked = false;
    assert.equal((await dashboard.get("/api/services", { cookie })).status, 401);
  });

  it("expires after 2 hours without use, which an open page isn't, and after 12 hours (DB-03)", async () => {
    const idle = await dashboard.signIn();
    dashboard.advance(1.5);
    assert.equal((await dashboard.get("/api/services", { cookie: idle })).status, 200);
    dashboard.advance(0.6);
    assert.equal((await dashboard.get("/api/services", { cookie: idle })).status, 401);

    const used = await dashboard.signIn();
    for (let hours = 0; hours < 11; hours++) {
      dashboard.advance(1);
      assert.equal((await dashboard.get("/api/session", { cookie: used })).status, 200);
    }
    dashboard.advance(1);
    assert.equal((await dashboard.get("/api/session", { cookie: used })).status, 401);
  });

  it("keeps a bounded number, the most recently used", async () => {
    await using small = await DashboardUnderTest.open({ sessions: { count: 2 } });
    const [a, b] = [await small.signIn(), await small.signIn()];
    await small.get("/api/session", { cookie: a });
    await small.signIn();
    assert.equal((await small.get("/api/session", { cookie: a })).status, 200);
    assert.equal((await small.get("/api/session", { cookie: b })).status, 401);
  });

  it("uses a __Host- cookie marked Secure over TLS (DB-03)", async () => {
    const { key, cert } = await selfSigned();
    await using secure = await DashboardUnderTest.open({ tls: { key, cert } });
    const credentials = { id: "jane", password: "right" };
    const response = await secure.post("/api/login", credentials);
    const [cookie = ""] = response.headers["set-cookie"] ?? [];
    assert.match(cookie, /^__Host-micro-session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Secure; Max-Age=43200$/);
    assert.match(response.headers["strict-transport-security"] ?? "", /max-age/);
    const headers = { cookie: cookie.split(";")[0] ?? "" };
    assert.equal((await secure.get("/api/session", headers)).status, 200);
  });
});
function json({ text }: DashboardAnswer): Record<string, unknown> & { readonly detail: string } {
  return JSON.parse(text);
}

async function selfSigned(): Promise<{ key: string; cert: string }> {
  const folder = await mkdtemp(join(tmpdir(), "micro-dashboard-"));
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  const kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"];
  execFileSync("openssl", ["req", ...kind, ...subject, "-keyout", key, "-out", cert], { stdio: "ignore" });
  try {
    return { key: await readFile(key, "utf8"), cert: await readFile(cert, "utf8") };
  } finally {
    await rm(folder, { recursive: true });
  }
}
