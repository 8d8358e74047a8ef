import assert from "node:assert/strict";
import { mkdtemp, open as openFile, readdir, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { type BlobDriver, Blobs, wholeBlob } from "@microts/blocks/store";
import { MicroError } from "@microts/core";
import { blobConformance } from "../../../blocks/src/store/blob-conformance.ts";
import { openEmbeddedBlobs } from "./blobs.ts";
import { EmbeddedDatabase } from "./sqlite/index.ts";

const signal = new AbortController().signal;
const info = { contentType: "", public: false };

async function open(): Promise<{ blobs: BlobDriver; database: EmbeddedDatabase; dataDir: string }> {
  const dataDir = await mkdtemp(join(tmpdir(), "micro-blobs-"));
  const database = await EmbeddedDatabase.open({ dataDir });
  const blobs = await openEmbeddedBlobs(database);
  blobs[Symbol.asyncDispose] = async () => {
    await database[Symbol.asyncDispose]();
    await rm(dataDir, { recursive: true });
  };
  return { blobs, database, dataDir };
}

async function* from(...chunks: Uint8Array[]): AsyncGenerator<Uint8Array, void, undefined> {
  yield* chunks;
}

describe("EmbeddedBlobs in memory", () => {
  const openInMemory = async () => {
    const database = await EmbeddedDatabase.open({});
    const blobs = await openEmbeddedBlobs(database);
    const close = blobs[Symbol.asyncDispose].bind(blobs);
    blobs[Symbol.asyncDispose] = async () => {
      await close();
      await database[Symbol.asyncDispose]();
    };
    return blobs;
  };
  blobConformance(it, { open: openInMemory });

  it("shares no bytes with who writes or reads them", async () => {
    await using blobs = await openInMemory();
    const bytes = Buffer.from("abc");
    await blobs.write("acme", "a", info, from(bytes), signal);
    bytes.fill(0);
    const read = async () =>
      Buffer.concat(await Array.fromAsync((await blobs.read("acme", "a", wholeBlob, signal)) ?? []));
    for await (const chunk of (await blobs.read("acme", "a", wholeBlob, signal)) ?? []) chunk.fill(0);
    assert.equal((await read()).toString(), "abc");
  });
});

describe("EmbeddedBlobs on disk", () => {
  blobConformance(it, { open: async () => (await open()).blobs });

  it("keeps one file for each blob and none for what failed, was replaced or deleted", async () => {
    const { blobs, dataDir } = await open();
    await using _ = blobs;
    const files = () => readdir(join(dataDir, "blobs"));
    const broken = async function* () {
      yield new Uint8Array(1_000);
      throw new Error("the source broke");
    };
    await blobs.write("acme", "a", info, from(Buffer.from("1")), signal);
    await blobs.write("acme", "a", info, from(Buffer.from("2")), signal);
    await assert.rejects(blobs.write("acme", "a", info, broken(), signal), /the source broke/);
    assert.equal((await files()).length, 1);
    await blobs.delete("acme", "a", signal);
    assert.deepEqual(await files(), []);
  });

  it("makes no path of names (ST-07)", async () => {
    const { blobs, dataDir } = await open();
    await using _ = blobs;
    const before = await readdir(dataDir);
    for (const name of ["../x", "/etc/passwd", "a\u0000b", "__proto__"])
      await blobs.write(name, name, info, from(Buffer.from(name)), signal);
    assert.deepEqual(await readdir(dataDir), before);
    assert.deepEqual(await blobs.list("../x", "", signal), ["../x"]);
  });

  it("clears away at start what a crash left", async () => {
    const { blobs, database, dataDir } = await open();
    await using _ = blobs;
    await blobs.write("acme", "a", info, from(Buffer.from("kept")), signal);
    await writeFile(join(dataDir, "blobs", "leftover"), "half a blob");
    await openEmbeddedBlobs(database);
    assert.equal((await readdir(join(dataDir, "blobs"))).length, 1);
    assert.deepEqual(await blobs.list("acme", "", signal), ["a"]);
  });

  it("fails the read of a blob that lost bytes rather than give less", async () => {
    const { blobs, dataDir } = await open();
    await using _ = blobs;
    await blobs.write("acme", "a", info, from(new Uint8Array(1_000)), signal);
    const [file] = await readdir(join(dataDir, "blobs"));
    await truncate(join(dataDir, "blobs", file ?? ""), 10);
    await assert.rejects(Array.fromAsync((await blobs.read("acme", "a", wholeBlob, signal)) ?? []), /damaged/);
  });

  it("never gives a byte that the disk has altered, and gives the blocks that are whole (EV-04)", async () => {
    const { blobs, dataDir } = await open();
    await using _ = blobs;
    const bytes = Buffer.alloc(3 * 262_144 + 1_000, "0123456789");
    await blobs.write("acme", "a", info, from(bytes), signal);
    const [name = ""] = await readdir(join(dataDir, "blobs"));
    await using file = await openFile(join(dataDir, "blobs", name), "r+");
    for (const at of [0, 262_143, 262_144, 500_000, 786_432, bytes.length - 1]) {
      await file.write(Buffer.of((bytes[at] ?? 0) ^ 0x10), 0, 1, at);
      const block = Math.floor(at / 262_144);
      const got: Uint8Array[] = [];
      const read = async () => {
        for await (const chunk of (await blobs.read("acme", "a", wholeBlob, signal)) ?? []) got.push(chunk);
      };
      await assert.rejects(read(), (error) => error instanceof MicroError && /"a" is damaged/.test(error.detail));
      assert.ok(Buffer.concat(got).equals(bytes.subarray(0, block * 262_144)));
      await file.write(bytes, at, 1, at);
    }
  });

  it("takes a blob as large as the limit and no larger, which leaves the old one (ST-08)", async () => {
    const { blobs, dataDir } = await open();
    await using _ = blobs;
    const limited = new Blobs(blobs, { maxBytes: 1_000 });
    await limited.write("a", new Uint8Array(1_000));
    await assert.rejects(
      limited.write("a", from(new Uint8Array(600), new Uint8Array(401))),
      (error) => error instanceof MicroError && error.code === 413,
    );
    const bytes = Buffer.concat(await Array.fromAsync((await limited.read("a")) ?? []));
    assert.equal(bytes.byteLength, 1_000);
    assert.equal((await readdir(join(dataDir, "blobs"))).length, 1);
  });
});
