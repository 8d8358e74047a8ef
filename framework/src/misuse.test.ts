import { rejects, throws } from "node:assert/strict";
import { describe, it } from "node:test";
import { broker, events, stream, topic } from "./index.ts";

// What JavaScript without types lets through.
const [orders, clicks] = [stream("orders"), topic("clicks")] as const;
const untyped = <T>(value: T) => value as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;

describe("subscribing with the wrong arguments", () => {
  it("is refused before anything is opened, with how it is written", async () => {
    for (const [name, of, call] of [
      ["stream", untyped(orders), /^stream\("orders"\)\.handle /],
      ["topic", untyped(clicks), /^topic\("clicks"\)\.handle /],
    ] as const) {
      for (const [args, what] of [
        [[async () => {}], /its options first and the handler second/],
        [[async () => {}, { group: "g" }], /its options first and the handler second/],
        [[undefined, async () => {}], /an object of options, not undefined/],
        [["g", async () => {}], /an object of options, not "g"/],
        [[{ group: "g" }], /a function as its second argument, not undefined/],
        [[{ concurrency: 0 }, () => {}], /a concurrency of 1 or more, not 0/],
        [[{ concurrency: "4" }, () => {}], /a concurrency of 1 or more, not "4"/],
        [[{ onError: true }, () => {}], /a function as onError, not true/],
      ] as const) {
        const refused = { code: 400, detail: new RegExp(`${call.source}.*${what.source}.*Write: ${name}`) };
        await rejects(of["handle"]?.(...args) ?? Promise.resolve(), refused);
      }
    }
    const handler = async () => {};
    for (const open of [
      () => untyped(orders)["consume"]?.(handler),
      () => untyped(clicks)["subscribe"]?.(handler),
      () => untyped(events)["consume"]?.("orders", handler),
      () => untyped(broker)["subscribe"]?.("clicks", handler),
    ])
      throws(open, { code: 400, detail: /takes an object of options, not a function\. Write: for await/ });
  });
});
