import { describe, it } from "node:test";
import { EmbeddedEvents, openEmbeddedStore } from "@microts/driver-embedded";
import { serveMethods, testAdmin } from "@microts/testing";
import { eventsConformance } from "./conformance.ts";
import { Events } from "./events.ts";
import { RemoteEvents } from "./remote.ts";
import { eventsMethods } from "./service.ts";

describe("RemoteEvents", () => {
  eventsConformance(it, {
    open: async () => {
      const stack = new AsyncDisposableStack();
      const { database } = stack.use(await openEmbeddedStore());
      const events = stack.use(new EmbeddedEvents({ database, sweepMs: 100 }));
      const account = { ...testAdmin, issuer: "acme" };
      const { rpc } = stack.use(await serveMethods("events", eventsMethods(new Events(events)), { account }));
      const remote = new RemoteEvents(rpc, "acme");
      remote[Symbol.asyncDispose] = () => stack.disposeAsync();
      return remote;
    },
  });
});
