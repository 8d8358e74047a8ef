import { deepEqual, equal, rejects } from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type Platform, parseSettings, startPlatform } from "@microts/platform";
import { until } from "../../testing/src/until.ts";
import { blobs } from "./index.ts";

describe("the blobs of a service", { timeout: 280_000 }, () => {
  let home: string;
  let platform: Platform;

  before(async () => {
    home = await mkdtemp(join(tmpdir(), "micro-blobs-"));
    const names = ["API", "PROXY", "WEB", "NETWORK"].map((name) => [`MICRO_${name}_ADDRESS`, "127.0.0.1:0"]);
    platform = await startPlatform(parseSettings({ ...Object.fromEntries(names), MICRO_HOME: home }));
    // Where this process's own framework finds the platform.
    process.env["MICRO_HOME"] = home;
    process.env["MICRO_PROXY"] = platform.addresses.proxy;
  });
  after(async () => {
    await platform?.[Symbol.asyncDispose]();
    await rm(home, { recursive: true, force: true });
  });

  it("are written from bytes, text and streams, and read whole, in part and in chunks", async () => {
    const chunk = Buffer.alloc(300_000, "0123456789");
    const source = async function* () {
      for (let n = 0; n < 20; n++) yield chunk;
    };
    await blobs.write("movies/1", source(), { contentType: "video/mp4" });
    await blobs.write("notes/1", "grüße");
    await blobs.write("notes/2", new Uint8Array([1, 2, 3]), { public: true });
    equal(Buffer.from((await blobs.read("notes/1")) ?? []).toString(), "grüße");
    deepEqual([...((await blobs.read("notes/2", { offset: 1, length: 1 })) ?? [])], [2]);
    const hash = createHash("sha256");
    for await (const bytes of (await blobs.stream("movies/1")) ?? []) hash.update(bytes);
    const { writtenAt, ...stat } = (await blobs.stat("movies/1")) ?? {};
    deepEqual(stat, { size: 6_000_000, contentType: "video/mp4", public: false, sha256: hash.digest("hex") });
    equal(writtenAt instanceof Date, true);
    deepEqual(await blobs.list({ prefix: "notes/" }), ["notes/1", "notes/2"]);
    await blobs.delete("notes/1");
    await blobs.delete("notes/1");
    deepEqual(await blobs.list(), ["movies/1", "notes/2"]);
    equal(await blobs.read("notes/1"), undefined);
    equal(await blobs.stream("notes/1"), undefined);
    equal(await blobs.stat("notes/1"), undefined);
  });

  it("stay as they were when the source of a new one breaks, and nothing of that is left (ST-08)", async () => {
    await blobs.write("kept", "before");
    const folder = join(home, "server", "blobs");
    const files = (await readdir(folder)).length;
    const broken = async function* () {
      for (let n = 0; n < 10; n++) yield new Uint8Array(100_000);
      throw new Error("the source broke");
    };
    await rejects(blobs.write("kept", broken()), /the source broke/);
    equal(Buffer.from((await blobs.read("kept")) ?? []).toString(), "before");
    await until(
      async () => (await readdir(folder)).length,
      (left) => left === files,
    );
  });

  it("are refused with what is wrong", async () => {
    await rejects(blobs.write("a", { n: 1 } as never), { code: 400, message: /the content of "a" has to be a text/ });
    await rejects(blobs.write("a", undefined as never), { code: 400, message: /and is undefined/ });
    await rejects(blobs.write("", "x"), { code: 400, message: /the key/ });
    await rejects(blobs.write("k".repeat(5_000), "x"), { code: 400, message: /the key/ });
    await rejects(blobs.read("kept", { offset: -1 }), { code: 400, message: /offset is -1/ });
    await rejects(blobs.write("type", "x", { contentType: "tëxt" }), { code: 400, message: /content type/ });
  });
});
