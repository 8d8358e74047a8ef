import type { MethodTable } from "@microts/blocks/proxy";
import { requireAccount } from "@microts/core";
import type { Method } from "@microts/core/rpc";
import { type Health, standardServices } from "@microts/core/rpc/services";
import { Health as HealthService } from "@microts/proto/grpc/health/v1";
import type { CoreServices } from "./core-services.ts";

/**
 * gRPC's standard services for both gRPC ports: health for everybody, because who probes a server has no account there, and reflection of the
 * platform's own services for accounts.
 */
export function platformStandardServices(core: CoreServices, health: Health): ReadonlyMap<string, MethodTable> {
  const handlers = core.descriptors().map(({ typeName }) => typeName);
  for (const name of [...core.tables.keys(), ...handlers]) health.set(name, true);
  const tables = standardServices({ health, services: () => core.descriptors() });
  const open = HealthService.file.proto.package;
  return new Map([...tables].map(([name, table]) => [name, name === open ? table : forAccounts(name, table)]));
}

/** The same methods, which say 401 to callers without an account. */
function forAccounts(service: string, table: MethodTable): MethodTable {
  const guarded = [...table.values()].map(
    (method): Method => ({
      ...method,
      handle: (request, context) => {
        requireAccount(context.account, `${service}.${method.name}`);
        return method.handle(request, context);
      },
    }),
  );
  return new Map(guarded.map((method) => [method.name, method]));
}
