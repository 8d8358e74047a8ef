import { isObject, type Json } from "../json-text.ts";

const gateway = "http://localhost:8080";

/** A curl line that makes the call through the gateway, for a POSIX shell. `json` is the request's text. */
export function curlLine(service: string, endpoint: string, json: string, namespace: string, stream = false): string {
  const parts = [
    stream ? "curl -N" : "curl",
    shellQuote(gateway + gatewayPath(service, endpoint)),
    '-H "authorization: Bearer $(micro user token)"',
    ...(namespace === "micro" ? [] : [`-H ${shellQuote(`micro-namespace: ${namespace}`)}`]),
    "-H 'content-type: application/json'",
    `-d ${shellQuote(json)}`,
  ];
  return parts.join(" ");
}

/**
 * A `micro` line that makes the call. Flags when the request is made of texts, numbers and bools in messages; else `micro call` with
 * the JSON; `micro stream` for a stream.
 */
export function microLine(service: string, endpoint: string, request: Json, stream = false): string {
  const flags = stream ? undefined : flagsOf(request, "");
  if (flags === undefined || !isPlainName(service) || !isPlainName(endpoint)) {
    const words = [service, endpoint, JSON.stringify(request)].map(shellQuote);
    return ["micro", stream ? "stream" : "call", ...words].join(" ");
  }
  const [handler = "", method = ""] = endpoint.split(".");
  const words = handler === handlerOf(service) ? [method] : [handler, method];
  return ["micro", service, ...words.map(lowerFirst), ...flags].join(" ");
}

/** The gateway's path for an endpoint (behaviour §3.2 the other way round). */
export function gatewayPath(service: string, endpoint: string): string {
  const [handler = "", method = ""] = endpoint.split(".");
  const isOwnHandler = handler === handlerOf(service) && !service.includes(".");
  const servicePart = isOwnHandler ? [service] : service.split(".");
  const endpointPart = (isOwnHandler ? [method] : [handler, method]).map(lowerFirst);
  return `/${[...servicePart, ...endpointPart].map(encodeURIComponent).join("/")}`;
}

/** The word as one argument of a POSIX shell. */
export function shellQuote(word: string): string {
  return /^[\w./:@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** The handler that a service's path means when it names none: `my-service` has `MyService`. */
function handlerOf(service: string): string {
  return service
    .split("-")
    .map((part) => part.charAt(0).toUpperCase() + part.slice(1))
    .join("");
}

/** undefined when the request has something that a flag can't carry. */
function flagsOf(request: Json, parent: string): readonly string[] | undefined {
  if (!isObject(request)) return undefined;
  const flags: string[] = [];
  for (const [key, value] of Object.entries(request)) {
    if (!/^[a-z]\w*$/i.test(key)) return undefined;
    const name = parent === "" ? key : `${parent}_${key}`;
    const more = isObject(value) ? flagsOf(value, name) : flagOf(name, value);
    if (more === undefined) return undefined;
    flags.push(...more);
  }
  return flags;
}

function flagOf(name: string, value: Json): readonly string[] | undefined {
  const isText = typeof value === "string" && value !== "" && !value.includes("=");
  if (!isText && typeof value !== "number" && typeof value !== "boolean") return undefined;
  return [`--${name}=${shellQuote(String(value))}`];
}

/** Names that read the same as a word of a command line. */
function isPlainName(name: string): boolean {
  return /^[a-z][\w.-]*$/i.test(name);
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
