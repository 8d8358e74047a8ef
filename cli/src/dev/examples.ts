import { commandOf } from "../dynamic/endpoint.ts";
import { type Field, fieldsOf, flagName } from "../dynamic/fields.ts";
import { isStream, type Service } from "../registry.ts";

/** Lines to copy: how to call the service's first endpoint from a shell. */
export function exampleCalls({ name, endpoints }: Service, api: string | undefined, namespace: string): string[] {
  const endpoint =
    endpoints.find((each) => /\.Call$/.test(each.name)) ?? endpoints.find((each) => !isStream(each)) ?? endpoints[0];
  if (endpoint === undefined) return [];
  const fields = endpoint.request === undefined ? [] : fieldsOf(endpoint.request).filter(hasSample);
  const command = commandOf(name, endpoint);
  const word = command === "call" && fields.length > 0 ? "" : ` ${command}`;
  const flags = fields.map((field) => ` --${flagName(field)}=${sample(field)}`).join("");
  const lines = [`micro ${name}${word}${flags}`];
  return api === undefined || isStream(endpoint) ? lines : [...lines, curl(name, command, fields, api, namespace)];
}

function curl(service: string, command: string, fields: readonly Field[], api: string, namespace: string): string {
  const query = fields.map((field) => `${field.path.join(".")}=${sample(field)}`).join("&");
  const header = namespace === "micro" ? "" : ` -H 'Micro-Namespace: ${namespace}'`;
  const host = api.replace(/^127\.0\.0\.1:/, "localhost:");
  return `curl${header} '${host}/${service}/${command.replaceAll(" ", "/")}${query === "" ? "" : `?${query}`}'`;
}

const samples: Readonly<Record<string, string>> = {
  string: "text",
  bool: "true",
  int32: "1",
  int64: "1",
  uint32: "1",
  uint64: "1",
  float32: "1.5",
  float64: "1.5",
};

function hasSample({ type, isMessage }: Field): boolean {
  return !isMessage && type in samples;
}

function sample({ path, type }: Field): string {
  const isName = type === "string" && /name$/i.test(path.at(-1) ?? "");
  return isName ? "Jane" : (samples[type] ?? "");
}
