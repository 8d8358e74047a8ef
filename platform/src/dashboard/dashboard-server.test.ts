import assert from "node:assert/strict";
import { once } from "node:events";
import { afterEach, beforeEach, describe, it } from "node:test";
import { DashboardUnderTest } from "../../../testing/src/dashboard.ts";

let dashboard: DashboardUnderTest;

beforeEach(async () => {
  dashboard = await DashboardUnderTest.open();
});
afterEach(() => dashboard[Symbol.asyncDispose]());

describe("every answer", () => {
  it("carries the security headers, errors too (DB-01)", async () => {
    for (const path of ["/", "/assets/app-1a2b.js", "/api/session", "/nothing.js", "/api/nothing"]) {
      const { headers } = await dashboard.get(path);
      const policy = String(headers["content-security-policy"]);
      assert.match(policy, /default-src 'self'/);
      assert.match(policy, /frame-ancestors 'none'/);
      assert.doesNotMatch(policy, /unsafe/);
      assert.equal(headers["x-content-type-options"], "nosniff");
      assert.equal(headers["referrer-policy"], "no-referrer");
      assert.equal(headers["cross-origin-opener-policy"], "same-origin");
      assert.equal(headers["access-control-allow-origin"], undefined);
      assert.equal(headers["x-powered-by"], undefined);
    }
  });

  it("of the API is stored nowhere", async () => {
    for (const path of ["/api/session", "/api/nothing"]) {
      assert.equal((await dashboard.get(path)).headers["cache-control"], "no-store");
    }
  });

  it("names the methods that a path takes", async () => {
    const response = await dashboard.get("/api/login");
    assert.equal(response.status, 405);
    assert.equal(response.headers.allow, "POST");
  });
});

describe("limits", () => {
  it("refuses a body over 4 MiB, announced or not", async () => {
    const headers = { cookie: await dashboard.signIn() };
    const big = JSON.stringify({ service: "a", endpoint: "Echo.Call", request: "x".repeat(4 * 1024 * 1024) });
    const options = { method: "POST", path: "/api/call", headers };
    assert.equal((await dashboard.send(options, big)).status, 413);
    const chunked = { ...options, headers: { ...headers, "transfer-encoding": "chunked" } };
    assert.equal((await dashboard.send(chunked, big)).status, 413);
    const small = JSON.stringify({ service: "a", endpoint: "Echo.Call", request: "x".repeat(4 * 1024 * 1024 - 100) });
    assert.equal((await dashboard.send(options, small)).status, 200);
  });

  it("refuses headers over 16 KiB", async () => {
    assert.equal((await dashboard.get("/", { "x-long": "x".repeat(17 * 1024) })).status, 431);
  });

  it("is still well after broken requests", async () => {
    for (const head of [
      "GET",
      "\0\0\0\0",
      "GET / HTTP/9.9\r\n",
      "POST /api/login HTTP/1.1\r\ncontent-length: -1\r\n",
    ]) {
      assert.match(await dashboard.raw(head), /^HTTP\/1.1 4/);
    }
    assert.equal((await dashboard.get("/")).status, 200);
  });

  it("closes at once although a stream is running", async () => {
    await using other = await DashboardUnderTest.open();
    const stream = await other.openStream(await other.signIn());
    const ended = once(
      stream.on("error", () => {}),
      "close",
    );
    stream.resume();
    await other.server[Symbol.asyncDispose]();
    await ended;
  });

  it("reports a port that is taken", async () => {
    await assert.rejects(DashboardUnderTest.open({ port: dashboard.server.port }), { code: "EADDRINUSE" });
  });
});
