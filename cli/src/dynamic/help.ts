import { joinSections } from "../help.ts";
import { type Endpoint, isStream, type Service } from "../registry.ts";
import { spaceTable } from "../table.ts";
import { commandOf } from "./endpoint.ts";
import { fieldsOf, flagName } from "./fields.ts";
import { typeName } from "./value.ts";

/** Help for a running service: its endpoints as commands. */
export function serviceHelp({ name, version, endpoints }: Service): string {
  const rows = endpoints
    .filter(({ metadata }) => metadata["subscriber"] !== "true")
    .map((endpoint) => [commandOf(name, endpoint), endpoint.metadata["description"] ?? ""])
    .toSorted(([a = ""], [b = ""]) => (a < b ? -1 : 1));
  return joinSections([
    ["NAME:", `\tmicro ${name}\n`],
    ["VERSION:", `\t${version}\n`],
    ["USAGE:", `\tmicro ${name} [command]\n`],
    ["COMMANDS:", spaceTable(rows, "\t")],
  ]);
}

/** Help for one endpoint: its request's fields as flags. */
export function endpointHelp(service: string, endpoint: Endpoint): string {
  const name = commandOf(service, endpoint);
  const fields = endpoint.request === undefined ? [] : fieldsOf(endpoint.request).filter(({ isMessage }) => !isMessage);
  const flags = fields.map((field) => `\t--${flagName(field)} ${typeName(field.type)}\n`).join("");
  const { description } = endpoint.metadata;
  return joinSections([
    ["NAME:", `\tmicro ${service} ${name}\n`],
    ["DESCRIPTION:", description === undefined ? "" : `\t${description}\n`],
    ["USAGE:", `\tmicro ${service} ${name} [flags]\n\tmicro ${service} ${name} '{"json": "request"}'\n`],
    ["FLAGS:", flags],
    ["STREAMS:", isStream(endpoint) ? "\tprints each reply as it comes\n" : ""],
  ]);
}
