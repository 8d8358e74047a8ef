import { after, describe, it } from "node:test";
import { runtimeConformance } from "@microts/blocks/runtime";
import { openRuntimePlatform, runtimeSource } from "@microts/testing";

describe("embedded runtime", () => {
  const cleanUp = new AsyncDisposableStack();
  after(() => cleanUp.disposeAsync());

  runtimeConformance(it, {
    open: async (registerTimeoutMs) => cleanUp.use(await openRuntimePlatform({ registerTimeoutMs })).runtime,
    source: runtimeSource,
  });
});
