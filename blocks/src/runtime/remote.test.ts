import { after, describe, it } from "node:test";
import { openRuntimePlatform, runtimeSource, serveMethods, testAdmin } from "@microts/testing";
import { RemoteRuntime, Runtime, runtimeConformance, runtimeMethods } from "./index.ts";

describe("remote runtime", () => {
  const cleanUp = new AsyncDisposableStack();
  after(() => cleanUp.disposeAsync());

  runtimeConformance(it, {
    open: async (registerTimeoutMs) => {
      const { runtime } = cleanUp.use(await openRuntimePlatform({ registerTimeoutMs }));
      const { rpc } = cleanUp.use(
        await serveMethods("runtime", runtimeMethods(new Runtime(runtime)), { account: testAdmin }),
      );
      return new RemoteRuntime(rpc);
    },
    source: runtimeSource,
  });
});
