import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { EmbeddedConfig, givenRootKeys, openEmbeddedStore } from "@microts/driver-embedded";
import { serveMethods, testAdmin } from "@microts/testing";
import { Config } from "./config.ts";
import { configConformance } from "./conformance.ts";
import { RemoteConfig } from "./remote.ts";
import { configMethods } from "./service.ts";

describe("RemoteConfig", () => {
  configConformance(it, {
    open: async () => {
      const store = await openEmbeddedStore();
      const config = new Config(new EmbeddedConfig({ store, rootKeys: givenRootKeys([randomBytes(32)]) }));
      const served = await serveMethods("config", configMethods(config), { account: testAdmin });
      const remote = new RemoteConfig(served.rpc);
      remote[Symbol.asyncDispose] = async () => {
        await served[Symbol.asyncDispose]();
        await store[Symbol.asyncDispose]();
      };
      return remote;
    },
  });
});
