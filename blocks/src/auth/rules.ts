import type { Account } from "@microts/core";
import type { Resource, Rule } from "./driver.ts";

export interface Decision {
  readonly allowed: boolean;
  /** The rule that decided; undefined when none applied, which denies. */
  readonly rule: Rule | undefined;
}

/**
 * Decides a call by the rules of its namespace. Of the rules that match the resource and the caller, the one with the highest priority
 * decides; a denial before a grant of equal priority; then the lower id. No rule: denied. Names compare without regard to case.
 *
 * A rule for accounts doesn't apply to callers it doesn't mean (the original stops there and denies, so that the same rules could refuse a
 * stranger with an account what they grant a stranger without one).
 */
export function decide(
  rules: readonly Rule[],
  account: Account | undefined,
  namespace: string,
  resource: Resource,
): Decision {
  let best: Rule | undefined;
  for (const rule of rules) {
    if (best !== undefined && !precedes(rule, best)) continue;
    if (matches(rule.resource, resource) && concerns(rule.scope, account, namespace)) best = rule;
  }
  return { allowed: best?.access === "granted", rule: best };
}

/** Whether `a` decides before `b`. A strict order for rules with different ids. */
function precedes(a: Rule, b: Rule): boolean {
  if (a.priority !== b.priority) return a.priority > b.priority;
  if (a.access !== b.access) return a.access === "denied";
  return a.id < b.id;
}

function matches(pattern: Resource, resource: Resource): boolean {
  return (
    matchesName(pattern.type, resource.type) &&
    matchesName(pattern.name, resource.name) &&
    matchesEndpoint(pattern.endpoint, resource.endpoint)
  );
}

function matchesName(pattern: string, name: string): boolean {
  return pattern === "*" || pattern === name || pattern.toLowerCase() === name.toLowerCase();
}

function matchesEndpoint(pattern: string, endpoint: string): boolean {
  if (matchesName(pattern, endpoint)) return true;
  if (!pattern.endsWith("/*")) return false;
  const prefix = pattern.slice(0, -2).toLowerCase();
  const path = endpoint.toLowerCase();
  return path === prefix || path.startsWith(`${prefix}/`);
}

function concerns(scope: string, account: Account | undefined, namespace: string): boolean {
  if (scope === "") return true;
  if (account === undefined) return false;
  if (scope === "+") return true;
  if (account.issuer !== namespace) return false;
  return scope === "*" || account.scopes.includes(scope);
}
