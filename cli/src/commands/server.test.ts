import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { startServer } from "../../../testing/src/micro.ts";

describe("micro server", () => {
  it("is backed up while it runs, and is restored once it is stopped", { timeout: 280_000 }, async () => {
    await using first = await startServer();
    const folder = join(first.machine.folder, "backup");
    await first.output("store", "write", "a", "1");
    const said = await first.output("server", "backup", folder);
    assert.match(
      said,
      /^\d+ files, \d+ MiB in .*backup\. The root key of secrets is not in it: keep a copy of .*server\/keys apart\.\n$/,
    );
    await first.output("store", "write", "a", "2");
    const running = await first.micro("server", "restore", folder);
    assert.deepEqual([running.code, /in use by another micro server/.test(running.stderr)], [1, true]);
    await first.stop();
    const restored = await first.output("server", "restore", folder);
    assert.match(
      restored,
      /is as it was at 20\d\d-.*\. What was there is in .*before-restore-of-.*\. Start the server: micro server\n$/,
    );
    await using again = await startServer({ machine: first.machine });
    assert.equal(await again.output("store", "read", "a"), "1\n");
    assert.deepEqual((await readdir(join(folder, "keys"))).toSorted(), ["signing.pem"]);
  });
});
