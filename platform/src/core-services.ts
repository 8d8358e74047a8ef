import type { DescService } from "@bufbuild/protobuf";
import type { MethodTable } from "@microts/blocks/proxy";
import type { Endpoint, Registry, ServiceEntry } from "@microts/blocks/registry";
import { coreServices } from "@microts/core";
import type { Method } from "@microts/core/rpc";
import { describeMessage } from "./describe.ts";

/** The platform's own services by name, as the proxy answers them and the registry lists them. */
export class CoreServices {
  readonly tables: ReadonlyMap<string, MethodTable>;

  constructor(services: Readonly<Record<string, readonly Method[]>>) {
    const named = Object.entries(services).map(([name, methods]) => {
      if (!coreServices.has(name))
        throw new Error(`${name} is not among the names that the registry keeps for the platform`);
      return [name, new Map(methods.map((method) => [method.name, method]))] as const;
    });
    this.tables = new Map(named);
  }

  /** The protobuf services that can be called by the names in their files; `Debug` can't, it answers under the name of each service. */
  descriptors(): DescService[] {
    const named = [...this.tables].flatMap(([name, methods]) =>
      [...methods.values()].flatMap(({ descriptor }) =>
        descriptor?.parent.file.proto.package === name ? descriptor.parent : [],
      ),
    );
    return [...new Set(named)];
  }

  /** Lists every service in the registry at the address where the network answers them. They have no lease: they live as long as the registry. */
  async register(registry: Registry, address: string, version: string): Promise<void> {
    for (const [name, methods] of this.tables)
      await registry.register(entryOf(name, methods, address, version), { ttlMs: 0 });
  }
}

function entryOf(name: string, methods: MethodTable, address: string, version: string): ServiceEntry {
  const metadata = { server: "grpc", transport: "grpc", protocol: "grpc", registry: "micro", broker: "micro" };
  return {
    name,
    version: "latest",
    metadata: { platform: version },
    endpoints: [...methods.values()].filter(({ name: endpoint }) => !endpoint.startsWith("Debug.")).map(endpointOf),
    nodes: [{ id: `${name}-${address}`, address, metadata }],
  };
}

function endpointOf({ name, kind, descriptor }: Method): Endpoint {
  return {
    name,
    request: descriptor && describeMessage(descriptor.input),
    response: descriptor && describeMessage(descriptor.output),
    metadata: kind === "unary" ? {} : { stream: "true" },
  };
}
