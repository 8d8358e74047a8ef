import {
  type Account,
  coreServices,
  defaultNamespace,
  describe,
  MicroError,
  requireAdmin,
  requireMember,
} from "@microts/core";
import { type Method, methodsOf } from "@microts/core/rpc";
import { Registry as RegistryService } from "@microts/proto/registry";
import type { RegistryEvent } from "./driver.ts";
import { entryOf, messageOf } from "./messages.ts";
import type { Registry } from "./registry.ts";

/**
 * The endpoints of `registry.Registry` (wire §13). Reading needs a member of the domain, writing an admin of it; the domain is `micro` when none
 * is named (wire §11). The names of core services can't be taken over RPC: the platform registers them itself.
 */
export function registryMethods(registry: Registry): Method[] {
  return methodsOf(RegistryService, {
    async getService({ service, options }, { account, signal }) {
      const id = "registry.Registry.GetService";
      const domain = readable(account, options?.domain, id);
      const entries = await registry.get(service, { domain, signal });
      if (entries.length === 0) throw MicroError.notFound(id, `service not found: ${service} in domain "${domain}"`);
      return { services: entries.map((entry) => messageOf(entry)) };
    },
    async register(service, { account, signal }) {
      const id = "registry.Registry.Register";
      const domain = writable(account, service.options?.domain, service.name, id);
      const ttlMs = Number(service.options?.ttl ?? 0n) * 1000;
      await registry.register(entryOf(service), { domain, ttlMs, signal });
      return {};
    },
    async deregister(service, { account, signal }) {
      const domain = writable(account, service.options?.domain, service.name, "registry.Registry.Deregister");
      await registry.deregister(entryOf(service), { domain, signal });
      return {};
    },
    async listServices({ options }, { account, signal }) {
      const domain = readable(account, options?.domain, "registry.Registry.ListServices");
      const entries = await registry.services({ domain, signal });
      return { services: entries.map((entry) => messageOf(entry)) };
    },
    async watch({ service, options }, { account, signal }) {
      const domain = readable(account, options?.domain, "registry.Registry.Watch");
      return results(await registry.watch({ domain, service, signal }));
    },
  });
}

function readable(account: Account | undefined, named: string | undefined, id: string): string {
  const domain = named || defaultNamespace;
  requireMember(account, domain, id);
  return domain;
}

function writable(account: Account | undefined, named: string | undefined, service: string, id: string): string {
  const domain = named || defaultNamespace;
  const known = requireAdmin(account, domain, id);
  if (!coreServices.has(service)) return domain;
  throw MicroError.forbidden(
    id,
    `"${service}" is a service of the platform: ${describe(known)} can't register it. Choose another name`,
  );
}

async function* results(events: AsyncIterable<RegistryEvent>) {
  for await (const { action, service, at } of events) {
    yield { action: String(action), service: messageOf(service), timestamp: BigInt(Math.floor(at.getTime() / 1000)) };
  }
}
