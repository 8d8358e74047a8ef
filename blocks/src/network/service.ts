import { defaultNamespace, MicroError, requireAccount, requireAdmin } from "@microts/core";
import { type Method, methodsOf } from "@microts/core/rpc";
import { Network as NetworkService } from "@microts/proto/network";
import type { NetworkNode, NetworkRoute } from "./driver.ts";
import type { Network } from "./network.ts";

const id = (rpc: string) => `network.Network.${rpc}`;

/** Exposes the network as `network.Network` (wire §13). Unlike the original, nodes and graph need an account too. */
export function networkMethods(network: Network): Method[] {
  return methodsOf(NetworkService, {
    connect: async (_, { account }) => {
      requireAdmin(account, defaultNamespace, id("Connect"));
      throw MicroError.notImplemented(
        id("Connect"),
        "this server has no peers: all services of a machine meet in one server",
      );
    },
    nodes: async (_, { account, signal }) => {
      requireAccount(account, id("Nodes"));
      return { nodes: (await network.nodes(signal)).map(nodeMessage) };
    },
    graph: async (_, { account, signal }) => {
      requireAccount(account, id("Graph"));
      const [root, ...peers] = (await network.nodes(signal)).map((node) => ({ node: nodeMessage(node) }));
      return root === undefined ? {} : { root: { ...root, peers } };
    },
    routes: async ({ query }, { account, namespace, signal }) => {
      const wanted = query?.network || namespace;
      requireAdmin(account, wanted === "*" ? defaultNamespace : wanted, id("Routes"));
      const routes = await network.routes({ ...query, network: wanted }, signal);
      return { routes: routes.map(routeMessage) };
    },
    services: async (_, { account, signal }) => {
      const { issuer } = requireAccount(account, id("Services"));
      requireAdmin(account, issuer, id("Services"));
      return { services: await network.services(issuer === defaultNamespace ? "*" : issuer, signal) };
    },
    status: async (_, { account, signal }) => {
      requireAccount(account, id("Status"));
      await network.nodes(signal);
      return { status: {} };
    },
  });
}

function nodeMessage({ metadata, ...node }: NetworkNode) {
  return { ...node, metadata: { ...metadata } };
}

function routeMessage({ metadata, metric, ...route }: NetworkRoute) {
  return { ...route, metric: BigInt(metric), metadata: { ...metadata } };
}
