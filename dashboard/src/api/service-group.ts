import type { Endpoint, Service } from "./contract.ts";

/** All versions of one service. */
export interface ServiceGroup {
  readonly name: string;
  readonly versions: readonly Service[];
  /** Of every version; where two have the same, the one listed first. */
  readonly endpoints: readonly Endpoint[];
  readonly nodeCount: number;
}

/** By name, in the order of the alphabet. */
export function groupServices(services: readonly Service[]): readonly ServiceGroup[] {
  const groups = [...Map.groupBy(services, ({ name }) => name)];
  return groups
    .map(([name, versions]) => ({
      name,
      versions,
      endpoints: [...new Map(versions.flatMap(endpointEntries).reverse()).values()].reverse(),
      nodeCount: versions.reduce((sum, { nodes }) => sum + nodes.length, 0),
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The groups whose name has every word of the search, whatever the case. */
export function searchServices(groups: readonly ServiceGroup[], search: string): readonly ServiceGroup[] {
  const words = search.toLowerCase().split(/\s+/);
  return groups.filter(({ name }) => words.every((word) => name.toLowerCase().includes(word)));
}

function endpointEntries({ endpoints }: Service): readonly (readonly [string, Endpoint])[] {
  return endpoints.map((endpoint) => [endpoint.name, endpoint] as const);
}
