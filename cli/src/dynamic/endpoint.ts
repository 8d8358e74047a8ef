import { CommandError } from "../failure.ts";
import { hint } from "../nearest.ts";
import type { Endpoint, Service } from "../registry.ts";

/**
 * The endpoint that the words after a service's name mean: none `Service.Call`, one `Service.Word`, two `First.Second`. Case and dashes don't
 * matter; a handler may be left out where only one has the method. Undefined when there are no words and no `Call`.
 */
export function findEndpoint({ name, endpoints }: Service, words: readonly string[]): Endpoint | undefined {
  const [handler, method] = namesOf(name, words);
  const exact = endpoints.find((endpoint) => matches(endpoint, handler, method));
  if (exact !== undefined) return exact;
  const sameMethod =
    words.length > 1 ? [] : endpoints.filter((endpoint) => fold(partsOf(endpoint)[1]) === fold(method));
  if (sameMethod.length === 1) return sameMethod[0];
  if (words.length === 0) return undefined;
  const names = endpoints.map((endpoint) => commandOf(name, endpoint));
  const near = hint(words.join(" "), names);
  const all = names.length === 0 ? "" : ` It has: ${names.toSorted().join(", ")}`;
  throw new CommandError(
    128,
    `Endpoint ${title(handler)}.${title(method)} not found for service ${name}. ${near}${all}`.replace("  ", " "),
    404,
  );
}

/** How the endpoint is called on the command line: `call`, or `handler method` when the handler isn't the service's own. */
export function commandOf(service: string, endpoint: Endpoint): string {
  const [handler, method] = partsOf(endpoint);
  const isOwn = fold(handler) === fold(service);
  return isOwn ? lowerFirst(method) : `${lowerFirst(handler)} ${lowerFirst(method)}`;
}

function namesOf(service: string, words: readonly string[]): readonly [string, string] {
  const [first = "", second] = words;
  if (words.length > 2)
    throw new CommandError(
      1,
      `Incorrect number of arguments: expected an endpoint of ${service} and --flags, not: ${words.join(" ")}`,
    );
  if (second !== undefined) return [first, second];
  const dot = first.lastIndexOf(".");
  if (dot > 0) return [first.slice(0, dot), first.slice(dot + 1)];
  return [service, first || "Call"];
}

function matches(endpoint: Endpoint, handler: string, method: string): boolean {
  const [ownHandler, ownMethod] = partsOf(endpoint);
  return fold(ownHandler) === fold(handler) && fold(ownMethod) === fold(method);
}

function partsOf({ name }: Endpoint): readonly [string, string] {
  const dot = name.indexOf(".");
  return [name.slice(0, Math.max(0, dot)), name.slice(dot + 1)];
}

/** Case, dashes, underscores and dots don't count. */
export function fold(name: string): string {
  return name.replace(/[-_.]/g, "").toLowerCase();
}

function title(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}

function lowerFirst(name: string): string {
  return name.charAt(0).toLowerCase() + name.slice(1);
}
