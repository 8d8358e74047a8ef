import assert from "node:assert/strict";
import { chown, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { lockDataDirectory } from "./lock.ts";

describe("the lock of a data directory", () => {
  const isRoot = process.getuid?.() === 0;
  it("says whose the directory is when it is another user's", {
    skip: isRoot ? false : "only root may give a folder away",
  }, async () => {
    const folder = await mkdtemp(join(tmpdir(), "micro-lock-"));
    try {
      // Root may open whatever it likes, but no folder as a file.
      await mkdir(join(folder, "lock"));
      const refused = (pattern: RegExp) =>
        assert.throws(() => lockDataDirectory(folder), { code: 503, message: pattern });
      refused(/: unable to open database file\. Name another with MICRO_DATA_DIR$/);
      await chown(folder, 12_345, 12_345);
      refused(/file \(it belongs to the user 12345, and this process to 0\)\. Name another with MICRO_DATA_DIR$/);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
