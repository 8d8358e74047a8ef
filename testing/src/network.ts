import type { NetworkDriver } from "@microts/blocks/network";
import { EmbeddedNetwork, EmbeddedRegistry } from "@microts/driver-embedded";

const signal = new AbortController().signal;

/** The network that `networkConformance` describes: three nodes of `greeter` in two namespaces. Closing it closes its registry. */
export async function openTestNetwork(): Promise<NetworkDriver> {
  const registry = new EmbeddedRegistry();
  const register = (domain: string, ...ports: number[]) => {
    const nodes = ports.map((port) => ({ id: `greeter-${port}`, address: `127.0.0.1:${port}`, metadata: {} }));
    const entry = { name: "greeter", version: "latest", metadata: { domain }, endpoints: [], nodes };
    return registry.register(domain, entry, 0, signal);
  };
  await register("micro", 7002, 7001);
  await register("acme", 7003);
  const self = { id: "one", address: "127.0.0.1:8443", network: "micro", metadata: {} };
  const network = new EmbeddedNetwork(registry, self);
  network[Symbol.asyncDispose] = () => registry[Symbol.asyncDispose]();
  return network;
}
