import { describe, it } from "node:test";
import { EmbeddedRegistry } from "@microts/driver-embedded";
import { serveMethods, testAdmin } from "@microts/testing";
import { registryConformance } from "./conformance.ts";
import { Registry, RemoteRegistry, registryMethods } from "./index.ts";

describe("RemoteRegistry", () => {
  registryConformance(it, {
    leaseGrainMs: 1_000,
    async open() {
      const driver = new EmbeddedRegistry({ sweepMs: 50 });
      const served = await serveMethods("registry", registryMethods(new Registry(driver)), { account: testAdmin });
      const remote = new RemoteRegistry(served.rpc);
      remote[Symbol.asyncDispose] = async () => {
        await served[Symbol.asyncDispose]();
        await driver[Symbol.asyncDispose]();
      };
      return remote;
    },
  });
});
