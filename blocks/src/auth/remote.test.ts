import { describe, it } from "node:test";
import { EmbeddedAuth, generateSigningKeys, openEmbeddedStore } from "@microts/driver-embedded";
import { serveMethods, testAdmin } from "@microts/testing";
import { Auth } from "./auth.ts";
import { authConformance } from "./conformance.ts";
import { RemoteAuth } from "./remote.ts";
import { authMethods } from "./service.ts";

const keys = await generateSigningKeys();

describe("RemoteAuth", () => {
  authConformance(it, {
    cannotIssue: "the wire has no rpc for it",
    open: async () => {
      const store = await openEmbeddedStore();
      const auth = new Auth(new EmbeddedAuth({ store, keys, hashCost: { memoryKiB: 64, passes: 1, lanes: 1 } }));
      const served = await serveMethods("auth", authMethods(auth), { account: testAdmin });
      const remote = new RemoteAuth(served.rpc);
      remote[Symbol.asyncDispose] = async () => {
        await served[Symbol.asyncDispose]();
        await store[Symbol.asyncDispose]();
      };
      return remote;
    },
  });
});
