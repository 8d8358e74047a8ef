import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Auth } from "@microts/blocks/auth";
import type { Registry, RoutingView } from "@microts/blocks/registry";
import { type Log, MicroError } from "@microts/core";
import type { EmbeddedRuntimeOptions } from "@microts/driver-embedded";
import type { Drivers } from "./profiles.ts";
import type { Settings } from "./settings.ts";

export interface RuntimeParts {
  readonly settings: Settings;
  readonly drivers: Drivers;
  readonly auth: Auth;
  readonly registry: Registry;
  readonly view: RoutingView;
  readonly log: Log;
  proxyAddress(): string;
}

/** How often the routing view is looked at while a change is on its way to it. */
const lookMs = 5;
const longestLookMs = 5_000;

/** Finds installed packages. Not import.meta.resolve(), which the packed command doesn't have: it is no ES module. */
const require = createRequire(import.meta.url);

/** Connects the runtime to the rest of the platform: identities, the registry's word on who is up, and routing. */
export function runtimeOptions({
  settings,
  drivers,
  auth,
  registry,
  view,
  log,
  proxyAddress,
}: RuntimeParts): EmbeddedRuntimeOptions {
  const publicKey = drivers.keys.publicKey.export({ type: "spki", format: "pem" }).toString();
  const routed = (namespace: string, name: string, nodeId: string) =>
    view.nodes(namespace, name).some(({ id }) => id === nodeId);
  return {
    dataDir: settings.dataDir,
    store: drivers.store,
    blobs: drivers.blobs,
    log,
    proxyAddress,
    publicKey: Buffer.from(publicKey).toString("base64"),
    environment: settings.environment,
    frameworkModules: {
      "@microts/service": require.resolve("@microts/service"),
      // Its ES module: what require() gets is the other one.
      zod: join(dirname(require.resolve("zod/package.json")), "index.js"),
    },
    credentials: (namespace, name, version) => auth.issueServiceAccount(namespace, name, version),
    revoke: (namespace, name, version) => auth.removeServiceAccount(namespace, name, version),
    registered: async (namespace, name, _version, nodeId, signal) => {
      while (!routed(namespace, name, nodeId)) await delay(lookMs, undefined, { signal });
    },
    drain: async (namespace, nodeId) => {
      const services = await registry.services({ domain: namespace });
      const service = services.find(({ nodes }) => nodes.some(({ id }) => id === nodeId));
      if (service === undefined) return;
      await registry.deregister(
        { ...service, nodes: service.nodes.filter(({ id }) => id === nodeId) },
        { domain: namespace },
      );
      const until = Date.now() + longestLookMs;
      while (routed(namespace, service.name, nodeId)) {
        if (Date.now() > until)
          throw MicroError.internal("runtime", `node ${nodeId} is still routed to after ${longestLookMs} ms`);
        await delay(lookMs);
      }
    },
    events: async ({ type, namespace, name, version }) => {
      const payload = Buffer.from(JSON.stringify({ name, version }));
      const metadata = { type, namespace };
      const event = { id: undefined, timestamp: new Date(), metadata, payload, expiresAt: undefined };
      await drivers.events.publish(namespace, "runtime", event, new AbortController().signal);
    },
  };
}
