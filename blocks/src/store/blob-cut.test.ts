// Uploads that are cut on their way (ST-08): with 8 MiB, and at night 100.
import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { Connections } from "@microts/core/rpc";
import { EmbeddedDatabase, openEmbeddedBlobs } from "@microts/driver-embedded";
import { BlobWriteRequestSchema } from "@microts/proto/store";
import { serveMethods, testAdmin } from "@microts/testing";
import { until } from "../../../testing/src/until.ts";
import { Blobs, blobMethods } from "./index.ts";

const mebibyte = 1024 * 1024;
const total = (process.env["MICRO_NIGHTLY"] === undefined ? 8 : 100) * mebibyte;
const cuts = 10;

describe("an upload that is cut", { timeout: 280_000 }, () => {
  const stack = new AsyncDisposableStack();
  let folder: string;
  let blobs: Blobs;
  let address: string;

  before(async () => {
    const dataDir = await mkdtemp(join(tmpdir(), "micro-cut-"));
    stack.defer(() => rm(dataDir, { recursive: true }));
    folder = join(dataDir, "blobs");
    const database = stack.use(await EmbeddedDatabase.open({ dataDir }));
    blobs = new Blobs(await openEmbeddedBlobs(database));
    const served = stack.use(await serveMethods("store", blobMethods(blobs), { account: testAdmin }));
    address = served.address;
    await blobs.write("cut", Buffer.from("what was there before"));
  });
  after(() => stack.disposeAsync());

  /** Bytes of all files; one that goes meanwhile has none. */
  const bytesThere = async () => {
    const sizes = (await readdir(folder)).map((name) =>
      stat(join(folder, name)).then(
        ({ size }) => size,
        () => 0,
      ),
    );
    return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
  };

  for (const how of ["cancelled", "disconnected"] as const)
    it(`leaves nothing, wherever it is ${how}, and what was there before (ST-08)`, async () => {
      const before = await bytesThere();
      const message = create(BlobWriteRequestSchema, { key: "cut", blob: new Uint8Array(total / cuts / 10) });
      const bytes = toBinary(BlobWriteRequestSchema, message);
      for (let cut = 1; cut <= cuts; cut++) {
        // A connection of its own, so that cutting it cuts this call.
        await using connections = new Connections();
        const path = "/store.BlobStore/Write";
        const start = { path, contentType: "application/grpc+proto", metadata: {}, deadline: undefined };
        const call = connections.open(address, start, undefined);
        for (let sent = 0; sent < cut * 10; sent++) await call.send(bytes);
        const written = cut * 10 * message.blob.length;
        await until(bytesThere, (there) => there >= before + written);
        if (how === "cancelled") call.cancel();
        else await connections[Symbol.asyncDispose]();
        await call.status;
        await until(bytesThere, (there) => there === before);
      }
      assert.deepEqual(await blobs.list(), ["cut"]);
      const chunks = await Array.fromAsync((await blobs.read("cut")) ?? []);
      assert.equal(Buffer.concat(chunks).toString(), "what was there before");
    });
});
