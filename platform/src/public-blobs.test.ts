import { deepEqual, equal, match } from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Blobs, RemoteBlobs } from "@microts/blocks/store";
import { authorizationKey, namespaceKey, readLocalCredentials } from "@microts/core";
import { RpcClient } from "@microts/core/rpc";
import { type Platform, parseSettings, startPlatform } from "./index.ts";

describe("a public blob over HTTP", { timeout: 280_000 }, () => {
  let home: string;
  let platform: Platform;
  let rpc: RpcClient;
  let blobs: Blobs;

  before(async () => {
    home = await mkdtemp(join(tmpdir(), "micro-public-blobs-"));
    const names = ["API", "PROXY", "WEB", "NETWORK"].map((name) => [`MICRO_${name}_ADDRESS`, "127.0.0.1:0"]);
    platform = await startPlatform(parseSettings({ ...Object.fromEntries(names), MICRO_HOME: home }));
    const token = (await readLocalCredentials(home, platform.addresses.proxy))?.token ?? "";
    const metadata = { [authorizationKey]: `Bearer ${token}`, [namespaceKey]: "micro" };
    rpc = new RpcClient({ resolve: () => platform.addresses.proxy, metadata: () => metadata });
    blobs = new Blobs(new RemoteBlobs(rpc));
  });
  after(async () => {
    await rpc?.[Symbol.asyncDispose]();
    await platform?.[Symbol.asyncDispose]();
    await rm(home, { recursive: true, force: true });
  });

  const get = (path: string, init: RequestInit = {}) => fetch(`http://${platform.addresses.api}/-/blobs/${path}`, init);
  const write = (key: string, text: string | Uint8Array, contentType: string, isPublic = true) =>
    blobs.write(key, Buffer.from(text), { namespace: "acme", contentType, public: isPublic });

  it("is given as it was written, to anybody, whole, in parts, and not again to who has it", async () => {
    const large = Buffer.alloc(3_000_000, "0123456789");
    await write("films/a b.mp4", large, "video/mp4");
    // A token that proves nobody is not even looked at.
    const whole = await get("acme/films/a%20b.mp4", {
      headers: { authorization: "Bearer forged", "micro-namespace": "x" },
    });
    equal(whole.status, 200);
    equal(Buffer.compare(Buffer.from(await whole.arrayBuffer()), large), 0);
    const header = (name: string) => whole.headers.get(name) ?? "";
    deepEqual(
      ["content-type", "content-length", "accept-ranges", "x-content-type-options", "content-disposition"].map(header),
      ["video/mp4", "3000000", "bytes", "nosniff", "inline; filename*=UTF-8''a%20b.mp4"],
    );
    match(header("content-security-policy"), /sandbox/);
    const etag = header("etag");
    match(etag, /^"[0-9a-f]{64}"$/);
    const part = await get("acme/films/a%20b.mp4", { headers: { range: "bytes=2999995-" } });
    deepEqual([part.status, await part.text()], [206, "56789"]);
    equal(part.headers.get("content-range"), "bytes 2999995-2999999/3000000");
    const stale = await get("acme/films/a%20b.mp4", { headers: { range: "bytes=0-1", "if-range": '"other"' } });
    equal(stale.status, 200);
    await stale.arrayBuffer();
    const outside = await get("acme/films/a%20b.mp4", { headers: { range: "bytes=3000000-" } });
    deepEqual([outside.status, outside.headers.get("content-range")], [416, "bytes */3000000"]);
    const known = await get("acme/films/a%20b.mp4", { headers: { "if-none-match": etag } });
    deepEqual([known.status, await known.text()], [304, ""]);
    const head = await get("acme/films/a%20b.mp4", { method: "HEAD" });
    deepEqual([head.status, head.headers.get("content-length"), await head.text()], [200, "3000000", ""]);
    equal((await get("acme/films/a%20b.mp4", { method: "POST", body: "x" })).status, 405);
    await write("empty", "", "text/plain");
    const empty = await get("acme/empty");
    deepEqual([empty.status, await empty.text()], [200, ""]);
  });

  it("is saved and not shown when it could have a script in it", async () => {
    for (const type of ["text/html", "image/svg+xml", "application/xml", "application/pdf", "", "text/plainhtml"]) {
      await write("page", "<script>alert(1)</script>", type);
      const { headers } = await get("acme/page");
      match(headers.get("content-disposition") ?? "", /^attachment; filename\*=UTF-8''page$/, type);
      equal(headers.get("content-type"), type || "application/octet-stream");
    }
  });

  it("is not there, in the same words, when it is private, was withdrawn, or is another namespace's", async () => {
    const answer = async (path: string) => {
      const response = await get(path);
      return [response.status, (await response.text()).replaceAll(path.split("/").at(-1) ?? "", "KEY")];
    };
    await write("secret", "s", "text/plain", false);
    const none = await answer("acme/none");
    equal(none[0], 404);
    deepEqual(await answer("acme/secret"), none);
    await write("shared", "s", "text/plain");
    equal((await get("acme/shared")).status, 200);
    equal((await get("micro/shared")).status, 404);
    await write("shared", "s", "text/plain", false);
    deepEqual(await answer("acme/shared"), none);
    for (const path of ["", "acme", "acme/", "/shared"]) equal((await get(path)).status, 404, path);
    equal((await get("acme/%zz")).status, 400);
  });
});
