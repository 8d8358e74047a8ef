import { deepEqual, equal, ok } from "node:assert/strict";
import { anyDomain, type Node, type RegistryDriver, type RegistryEvent, type ServiceEntry } from "./driver.ts";

/** Registers one test; `it` of any runner fits. */
export type RegistryTest = (name: string, run: () => Promise<void>) => unknown;

export interface RegistryHarness {
  /** An empty registry. */
  open(): Promise<RegistryDriver>;
  /** How exactly leases are kept, sweep included. Default 100 ms. */
  readonly leaseGrainMs?: number;
}

const signal = new AbortController().signal;
const longMs = 60_000;

function node(id: string, port: number): Node {
  return { id, address: `127.0.0.1:${port}`, metadata: { domain: "acme", server: "grpc" } };
}

const greeter: ServiceEntry = {
  name: "greeter",
  version: "1",
  metadata: { domain: "acme", owner: "jane" },
  endpoints: [
    {
      name: "Greeter.Hello",
      request: { name: "HelloRequest", type: "HelloRequest", values: [{ name: "name", type: "string", values: [] }] },
      response: undefined,
      metadata: { stream: "true" },
    },
  ],
  nodes: [node("greeter-1", 7001)],
};

/** What every registry driver promises: one test for each sentence of `driver.ts`. */
export function registryConformance(test: RegistryTest, harness: RegistryHarness): void {
  registering(test, harness);
  watching(test, harness);
}

function registering(test: RegistryTest, { open, leaseGrainMs = 100 }: RegistryHarness): void {
  test("finds what was registered, endpoints and metadata included", async () => {
    await using driver = await open();
    await driver.register("acme", greeter, longMs, signal);
    deepEqual(await driver.get("acme", "greeter", signal), [greeter]);
  });

  test("finds nothing under another name or in another domain", async () => {
    await using driver = await open();
    await driver.register("acme", greeter, longMs, signal);
    deepEqual(await driver.get("acme", "greet", signal), []);
    deepEqual(await driver.get("umbrella", "greeter", signal), []);
    deepEqual(await driver.list("umbrella", signal), []);
  });

  test("adds nodes to a version and takes its endpoints as the newest", async () => {
    await using driver = await open();
    await driver.register("acme", greeter, longMs, signal);
    await driver.register("acme", { ...greeter, endpoints: [], nodes: [node("greeter-2", 7002)] }, longMs, signal);
    const [found] = await driver.get("acme", "greeter", signal);
    deepEqual(found?.endpoints, []);
    deepEqual(ids(found), ["greeter-1", "greeter-2"]);
  });

  test("gives every version, newest first", async () => {
    await using driver = await open();
    await driver.register("acme", greeter, longMs, signal);
    await driver.register("acme", { ...greeter, version: "2", nodes: [node("greeter-2", 7002)] }, longMs, signal);
    const found = await driver.get("acme", "greeter", signal);
    deepEqual(
      found.map(({ version }) => version),
      ["2", "1"],
    );
  });

  test("removes named nodes, and the version with its last", async () => {
    await using driver = await open();
    const two = { ...greeter, nodes: [node("greeter-1", 7001), node("greeter-2", 7002)] };
    await driver.register("acme", two, longMs, signal);
    await driver.deregister("acme", { ...greeter, nodes: [node("greeter-1", 7001), node("stranger", 1)] }, signal);
    deepEqual(ids((await driver.get("acme", "greeter", signal))[0]), ["greeter-2"]);
    await driver.deregister("acme", two, signal);
    deepEqual(await driver.get("acme", "greeter", signal), []);
    await driver.deregister("acme", two, signal);
  });

  test("removes a node whose lease runs out, and keeps one that is renewed or has none (RG-01)", async () => {
    await using driver = await open();
    // Long enough that a busy machine doesn't let the renewed one run out between two renewals.
    const ttlMs = Math.max(1000, 2 * leaseGrainMs);
    await driver.register("acme", { ...greeter, nodes: [node("gone", 7001)] }, ttlMs, signal);
    await driver.register("acme", { ...greeter, nodes: [node("renewed", 7002)] }, ttlMs, signal);
    await driver.register("acme", { ...greeter, nodes: [node("forever", 7003)] }, 0, signal);
    const until = Date.now() + ttlMs + leaseGrainMs + 100;
    while (Date.now() < until) {
      await driver.register("acme", { ...greeter, nodes: [node("renewed", 7002)] }, ttlMs, signal);
      await new Promise((resolve) => setTimeout(resolve, ttlMs / 4));
    }
    deepEqual(ids((await driver.get("acme", "greeter", signal))[0]), ["forever", "renewed"]);
  });

  test("lists services by name then version, of a domain or of all", async () => {
    await using driver = await open();
    const register = (domain: string, name: string, version: string) =>
      driver.register(
        domain,
        {
          ...greeter,
          name,
          version,
          metadata: { domain },
          nodes: [{ ...node(`${name}-${version}`, 7001), metadata: { domain } }],
        },
        longMs,
        signal,
      );
    await register("acme", "b", "1");
    await register("acme", "a", "2");
    await register("acme", "a", "1");
    await register("umbrella", "c", "1");
    deepEqual(names(await driver.list("acme", signal)), ["acme a 1", "acme a 2", "acme b 1"]);
    deepEqual(names(await driver.list(anyDomain, signal)), ["acme a 1", "acme a 2", "acme b 1", "umbrella c 1"]);
  });
}

function watching(test: RegistryTest, { open }: RegistryHarness): void {
  test("tells changes from when the watch is live, in order", async () => {
    await using driver = await open();
    const abort = new AbortController();
    const events = await driver.watch("acme", "", abort.signal);
    await driver.register("acme", greeter, longMs, signal);
    await driver.register("acme", { ...greeter, nodes: [node("greeter-2", 7002)] }, longMs, signal);
    await driver.deregister("acme", { ...greeter, nodes: [node("greeter-1", 7001)] }, signal);
    await driver.deregister("acme", { ...greeter, nodes: [node("greeter-2", 7002)] }, signal);
    const seen = await take(events, 4);
    deepEqual(
      seen.map(({ action, service }) => `${action} ${ids(service)}`),
      ["create greeter-1", "update greeter-1,greeter-2", "update greeter-2", "delete greeter-2"],
    );
    ok(seen.every(({ domain, at }) => domain === "acme" && Math.abs(at.getTime() - Date.now()) < 60_000));
  });

  test("tells nothing of a renewal that changes nothing", async () => {
    await using driver = await open();
    await driver.register("acme", greeter, longMs, signal);
    const events = await driver.watch("acme", "", signal);
    await driver.register("acme", greeter, longMs, signal);
    await driver.register("acme", { ...greeter, name: "other" }, longMs, signal);
    deepEqual(
      (await take(events, 1)).map(({ service }) => service.name),
      ["other"],
    );
  });

  test("tells only of the service and domain asked for, or of all", async () => {
    await using driver = await open();
    const one = await driver.watch("acme", "greeter", signal);
    const all = await driver.watch(anyDomain, "", signal);
    await driver.register("acme", { ...greeter, name: "other" }, longMs, signal);
    await driver.register("umbrella", { ...greeter, metadata: { domain: "umbrella" } }, longMs, signal);
    await driver.register("acme", greeter, longMs, signal);
    deepEqual(
      (await take(one, 1)).map(({ domain, service }) => `${domain} ${service.name}`),
      ["acme greeter"],
    );
    deepEqual(
      (await take(all, 3)).map(({ domain, service }) => `${domain} ${service.name}`),
      ["acme other", "umbrella greeter", "acme greeter"],
    );
  });

  test("ends without an error when the signal aborts", async () => {
    await using driver = await open();
    const abort = new AbortController();
    const events = await driver.watch("acme", "", abort.signal);
    const reading = take(events, 1);
    abort.abort();
    equal((await reading).length, 0);
  });
}

function ids(service: ServiceEntry | undefined): string[] {
  return (service?.nodes ?? []).map(({ id }) => id).sort();
}

function names(services: readonly ServiceEntry[]): string[] {
  return services.map(({ name, version, metadata }) => `${metadata["domain"]} ${name} ${version}`);
}

async function take(events: AsyncIterable<RegistryEvent>, count: number): Promise<RegistryEvent[]> {
  const taken: RegistryEvent[] = [];
  for await (const each of events) {
    taken.push(each);
    if (taken.length === count) break;
  }
  return taken;
}
