import { command, group } from "../command.ts";
import { RegistryView, type Service, type Value } from "../registry.ts";
import { serviceNotFound } from "../unknown-service.ts";

export const get = group("Show a resource", {
  service: command({
    summary: "Show the versions, nodes and endpoints of a service",
    args: "<name>",
    examples: ["get service helloworld"],
    run: async ({ out, session, signal }, _flags, [name = ""]) => {
      const found = await new RegistryView(session).find(name, signal);
      if (found === undefined) throw await serviceNotFound(name, session, signal);
      await out.result(found.versions, serviceText(name, found.versions));
    },
  }),
});

/** The service's versions with their nodes, then the endpoints of the first (behaviour §1.3). */
function serviceText(name: string, versions: readonly Service[]): string {
  const lines = [`service  ${name}`];
  for (const { version, nodes } of versions) {
    lines.push("", `version ${version}`, "", "ID\tAddress\tMetadata");
    lines.push(...nodes.map(({ id, address, metadata }) => `${id}\t${address}\t${pairs(metadata)}`));
  }
  for (const endpoint of versions[0]?.endpoints ?? []) {
    lines.push("", `Endpoint: ${endpoint.name}`);
    if (Object.keys(endpoint.metadata).length > 0) lines.push(`Metadata: ${pairs(endpoint.metadata)}`);
    lines.push("", `Request: ${schemaText(endpoint.request)}`, "", `Response: ${schemaText(endpoint.response)}`);
  }
  return `${lines.join("\n")}\n`;
}

function pairs(metadata: Readonly<Record<string, string>>): string {
  return Object.entries(metadata)
    .map(([key, value]) => `${key}=${value}`)
    .join(",");
}

function schemaText(value: Value | undefined): string {
  return value === undefined || value.values.length === 0 ? "{}" : `{\n${fieldLines(value.values, 1)}}`;
}

function fieldLines(values: readonly Value[], depth: number): string {
  const indent = "\t".repeat(depth);
  return values
    .map(({ name, type, values: fields }) =>
      fields.length === 0
        ? `${indent}${name} ${type}\n`
        : `${indent}${name} ${type} {\n${fieldLines(fields, depth + 1)}${indent}}\n`,
    )
    .join("");
}
