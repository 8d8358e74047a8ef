import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { DashboardUnderTest } from "../../../testing/src/dashboard.ts";

let dashboard: DashboardUnderTest;

beforeEach(async () => {
  dashboard = await DashboardUnderTest.open();
});
afterEach(() => dashboard[Symbol.asyncDispose]());

describe("requests from elsewhere", () => {
  const foreign: [title: string, headers: Record<string, string>][] = [
    ["another origin", { origin: "http://evil.example" }],
    ["another port of this host", { origin: "http://localhost:9999" }],
    ["an opaque origin", { origin: "null" }],
    ["another site, as the browser says", { "sec-fetch-site": "cross-site" }],
    ["another port, as the browser says", { "sec-fetch-site": "same-site" }],
    ["a form", { "content-type": "application/x-www-form-urlencoded" }],
    ["a form of text", { "content-type": "text/plain; application/json" }],
    ["an upload", { "content-type": "multipart/form-data; boundary=x" }],
    ["something without a content type", { "content-type": "" }],
  ];
  for (const [title, headers] of foreign) {
    it(`refuses a login, a logout and a call from ${title} (DB-02)`, async () => {
      const cookie = await dashboard.signIn();
      for (const path of ["/api/login", "/api/logout", "/api/call"]) {
        const response = await dashboard.post(path, { id: "jane", password: "right" }, { cookie, ...headers });
        assert.ok([400, 403].includes(response.status), `${path} answered ${response.status}`);
        assert.equal(response.headers["set-cookie"], undefined);
      }
      assert.equal((await dashboard.get("/api/session", { cookie })).status, 200);
    });
  }

  it("refuses reading across sites too (DB-02)", async () => {
    const cookie = await dashboard.signIn();
    for (const site of ["cross-site", "same-site"]) {
      assert.equal((await dashboard.get("/api/services", { cookie, "sec-fetch-site": site })).status, 403);
    }
  });

  it("serves its own page in a browser (DB-02)", async () => {
    const own = { origin: `http://localhost:${dashboard.server.port}`, "sec-fetch-site": "same-origin" };
    const response = await dashboard.post("/api/login", { id: "jane", password: "right" }, own);
    assert.equal(response.status, 200);
  });

  it("takes part in no WebSocket (DB-02)", async () => {
    const headers = {
      connection: "upgrade",
      upgrade: "websocket",
      "sec-websocket-key": "x",
      "sec-websocket-version": "13",
    };
    assert.equal((await dashboard.get("/", headers)).status, 400);
  });

  it("answers to no host name but its own (DB-04)", async () => {
    for (const host of ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "user@localhost", "[::2]"]) {
      const response = await dashboard.get("/", { host });
      assert.equal(response.status, 403, host);
      assert.ok(!response.text.includes(host));
    }
    assert.match(await dashboard.raw("GET / HTTP/1.1\r\nhost: "), /^HTTP\/1.1 403/);
    for (const host of ["localhost", "LOCALHOST:1", "127.0.0.1:8082", "[::1]:8082"]) {
      assert.equal((await dashboard.get("/", { host })).status, 200, host);
    }
    await using named = await DashboardUnderTest.open({ hosts: ["Micro.Example.com"] });
    assert.equal((await named.get("/", { host: "micro.example.com" })).status, 200);
  });

  it("redirects nobody anywhere (DB-04)", async () => {
    const targets = ["//evil.example", "/\\evil.example", "/%2f%2fevil.example", "/login?next=http://evil.example"];
    for (const path of [
      ...targets,
      "/.evil.example",
      "/services//evil.example",
      "/@evil.example",
      "/;//evil.example",
    ]) {
      const { status, headers } = await dashboard.get(path, { accept: "text/html" });
      assert.ok(status < 300 || status >= 400, path);
      assert.equal(headers.location, undefined);
    }
    assert.match(await dashboard.raw("GET http://evil.example/ HTTP/1.1\r\nhost: localhost\r\n"), /^HTTP\/1.1 400/);
  });
});
