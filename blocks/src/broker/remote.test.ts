import { describe, it } from "node:test";
import { EmbeddedBroker } from "@microts/driver-embedded";
import { serveMethods, testAdmin } from "@microts/testing";
import { brokerConformance } from "./conformance.ts";
import { Broker, brokerMethods, RemoteBroker } from "./index.ts";

describe("RemoteBroker", () => {
  brokerConformance(it, {
    oneNamespace: "a connection is signed in to one namespace",
    async open() {
      const driver = new EmbeddedBroker();
      const served = await serveMethods("broker", brokerMethods(new Broker(driver)), {
        account: { ...testAdmin, issuer: "acme" },
      });
      const remote = new RemoteBroker(served.rpc, "acme");
      remote[Symbol.asyncDispose] = async () => {
        await served[Symbol.asyncDispose]();
        await driver[Symbol.asyncDispose]();
      };
      return remote;
    },
  });
});
