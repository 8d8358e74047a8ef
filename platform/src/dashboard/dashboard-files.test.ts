import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { DashboardUnderTest } from "../../../testing/src/dashboard.ts";

let dashboard: DashboardUnderTest;

beforeEach(async () => {
  dashboard = await DashboardUnderTest.open();
});
afterEach(() => dashboard[Symbol.asyncDispose]());

describe("the page's files", () => {
  it("caches hashed files for ever and the page never", async () => {
    const asset = await dashboard.get("/assets/app-1a2b.js");
    assert.equal(asset.text, "console.log(1)");
    assert.equal(asset.headers["content-type"], "text/javascript; charset=utf-8");
    assert.match(asset.headers["cache-control"] ?? "", /immutable/);
    const page = await dashboard.get("/");
    assert.equal(page.headers["cache-control"], "no-cache");
    const again = await dashboard.get("/", { "if-none-match": page.headers.etag ?? "" });
    assert.equal(again.status, 304);
    assert.equal(again.text, "");
  });

  it("answers every page of the dashboard with index.html", async () => {
    for (const path of ["/", "/login", "/services/helloworld", "/services/foo.bar/Foo.Bar", "/?x=1"]) {
      const response = await dashboard.get(path);
      assert.match(response.text, /<title>page/, path);
      assert.equal(response.headers["content-type"], "text/html; charset=utf-8");
    }
  });

  it("leads to no file outside its folder", async () => {
    const paths = ["/../package.json", "/assets/../../x.js", "/assets/%2e%2e/index.html", "/assets/none.js", "/x.php"];
    for (const path of [...paths, "/assets/", "/..%2fpackage.json", "/etc/passwd.txt"]) {
      const response = await dashboard.get(path);
      assert.equal(response.status, 404, path);
    }
  });

  it("says how to build the page when it hasn't been, and notices when it has", async () => {
    const empty = await mkdtemp(join(tmpdir(), "micro-dashboard-"));
    try {
      await using unbuilt = await DashboardUnderTest.open({ files: join(empty, "dist") });
      const response = await unbuilt.get("/", {});
      assert.equal(response.status, 503);
      assert.match(response.text, /npm run build:dashboard/);
      await mkdir(join(empty, "dist"));
      await writeFile(join(empty, "dist", "index.html"), "built");
      assert.equal((await unbuilt.get("/", {})).text, "built");
    } finally {
      await rm(empty, { recursive: true });
    }
  });

  it("takes only GET and HEAD", async () => {
    assert.equal((await dashboard.post("/", {})).status, 405);
    const head = await dashboard.send({ method: "HEAD", path: "/" });
    assert.equal(head.status, 200);
    assert.equal(head.text, "");
  });
});
