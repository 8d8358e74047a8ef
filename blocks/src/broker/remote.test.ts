import { describe, it } from "node:test";
import { EmbeddedBroker } from "@microts/driver-embedded";
import { serveMethods, testAdmin } from "@microts/testing";
import { brokerConformance } from "./conformance.ts";
import { Broker, brokerMethods, RemoteBroker } from "./index.ts";

describe("RemoteBroker", () => {
  brokerConformance(it, {
    async open() {
      const driver = new EmbeddedBroker();
      const served = await serveMethods("broker", brokerMethods(new Broker(driver)), {
        account: testAdmin,
      });
      const remote = new RemoteBroker(served.rpc, "micro");
      remote[Symbol.asyncDispose] = async () => {
        await served[Symbol.asyncDispose]();
        await driver[Symbol.asyncDispose]();
      };
      return remote;
    },
  });
});
