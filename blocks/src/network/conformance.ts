import { deepEqual, equal, ok } from "node:assert/strict";
import type { NetworkDriver, RouteQuery } from "./driver.ts";

type Test = (name: string, run: () => Promise<void>) => unknown;

export interface NetworkHarness {
  /** A network in which `greeter` of namespace `micro` runs at 127.0.0.1:7001 and 127.0.0.1:7002, and `greeter` of `acme` at 127.0.0.1:7003. */
  open(): Promise<NetworkDriver>;
}

const all: RouteQuery = { service: "", address: "", gateway: "", router: "", network: "*" };
const signal = new AbortController().signal;

/** What every network driver promises; one test for each sentence of `driver.ts`. */
export function networkConformance(test: Test, { open }: NetworkHarness): void {
  test("names this server first", async () => {
    await using driver = await open();
    const [self] = await driver.nodes(signal);
    ok(self !== undefined && self.id !== "" && self.address.includes(":"));
  });

  test("lists every route by service, metric and address", async () => {
    await using driver = await open();
    const routes = await driver.routes({ ...all, service: "greeter" }, signal);
    deepEqual(
      routes.map(({ address, network }) => `${network} ${address}`),
      ["micro 127.0.0.1:7001", "micro 127.0.0.1:7002", "acme 127.0.0.1:7003"],
    );
    ok(routes.every(({ metric, link }) => metric === 1 && link === "local"));
  });

  test("keeps tenants apart", async () => {
    await using driver = await open();
    const routes = await driver.routes({ ...all, service: "greeter", network: "acme" }, signal);
    deepEqual(
      routes.map(({ address }) => address),
      ["127.0.0.1:7003"],
    );
  });

  test("narrows by address", async () => {
    await using driver = await open();
    const routes = await driver.routes({ ...all, address: "127.0.0.1:7002" }, signal);
    equal(routes.length, 1);
  });

  test("finds nothing for a service that isn't there", async () => {
    await using driver = await open();
    deepEqual(await driver.routes({ ...all, service: "nobody" }, signal), []);
  });
}
