import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Registry, type ServiceEntry } from "@microts/blocks/registry";
import { MicroError } from "@microts/core";
import { registryConformance } from "../../../blocks/src/registry/conformance.ts";
import { untilTrue } from "../../../testing/src/until.ts";
import { EmbeddedRegistry } from "./registry.ts";

const signal = new AbortController().signal;

function greeter(id: string, extra: Partial<ServiceEntry> = {}): ServiceEntry {
  return {
    name: "greeter",
    version: "1",
    metadata: {},
    endpoints: [],
    nodes: [{ id, address: "127.0.0.1:7001", metadata: {} }],
    ...extra,
  };
}

describe("EmbeddedRegistry", () => {
  registryConformance(it, { open: async () => new EmbeddedRegistry({ sweepMs: 20 }) });

  it("gives a watcher that paused during 5 000 changes all of them in order (RG-03)", async () => {
    await using registry = new EmbeddedRegistry();
    const events = await registry.watch("acme", "", signal);
    for (let change = 0; change < 5_000; change++)
      await registry.register("acme", greeter("a", { metadata: { change: String(change) } }), 0, signal);
    let next = 0;
    for await (const { service } of events) {
      assert.equal(service.metadata["change"], String(next++));
      if (next === 5_000) break;
    }
  });

  it("tells a watcher too far behind to start over, instead of leaving changes out (RG-03)", async () => {
    await using registry = new EmbeddedRegistry();
    const events = await registry.watch("acme", "", signal);
    for (let change = 0; change <= 10_000; change++)
      await registry.register("acme", greeter("a", { metadata: { change: String(change) } }), 0, signal);
    await assert.rejects(
      Array.fromAsync(events),
      (error) => error instanceof MicroError && error.code === 503 && error.detail.includes("watch from there"),
    );
  });

  it("stops a domain from growing without end", async () => {
    await using registry = new EmbeddedRegistry();
    const nodes = (count: number) =>
      Array.from({ length: count }, (_, index) => ({ id: `n${index}`, address: "127.0.0.1:7001", metadata: {} }));
    await registry.register("acme", greeter("a", { nodes: nodes(20_000) }), 0, signal);
    await assert.rejects(
      registry.register("acme", greeter("one-more"), 0, signal),
      (error) => error instanceof MicroError && error.code === 429,
    );
    await registry.register("umbrella", greeter("one"), 0, signal);
    await registry.register("acme", greeter("n7"), 0, signal);
  });
});

describe("the routing view", () => {
  it("shows what was there before and follows every change", async () => {
    await using driver = new EmbeddedRegistry({ sweepMs: 20 });
    await using registry = new Registry(driver);
    await registry.register(greeter("before"), { domain: "acme" });
    const view = await registry.view();
    assert.deepEqual(ids(), ["before"]);
    assert.equal(view.nodes("acme", "greeter"), view.nodes("acme", "greeter"));
    await registry.register(greeter("second", { version: "2" }), { domain: "acme" });
    await untilTrue(() => ids().length === 2);
    assert.deepEqual(
      view.entries("acme", "greeter").map(({ version }) => version),
      ["2", "1"],
    );
    await registry.deregister(greeter("before"), { domain: "acme" });
    await untilTrue(() => ids().length === 1);
    assert.deepEqual(ids(), ["second"]);
    assert.deepEqual(view.nodes("umbrella", "greeter"), []);
    // Long enough to be seen by a test that a busy machine lets wait.
    await registry.register(greeter("brief"), { domain: "umbrella", ttlMs: 500 });
    await untilTrue(() => view.nodes("umbrella", "greeter").length === 1);
    await untilTrue(() => view.nodes("umbrella", "greeter").length === 0);

    function ids(): string[] {
      return view.nodes("acme", "greeter").map(({ id }) => id);
    }
  });

  it("is right again after it fell too far behind", async () => {
    await using driver = new EmbeddedRegistry();
    await using registry = new Registry(driver);
    const view = await registry.view();
    // In one turn, so that the view can't keep up.
    const changes = Array.from({ length: 10_005 }, (_, change) =>
      driver.register("acme", greeter("a", { metadata: { domain: "acme", change: String(change) } }), 0, signal),
    );
    await Promise.all(changes);
    await untilTrue(() => view.entries("acme", "greeter")[0]?.metadata["change"] === "10004");
    await registry.register(greeter("b"), { domain: "acme" });
    await untilTrue(() => view.nodes("acme", "greeter").length === 2);
  });
});
