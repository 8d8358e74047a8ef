import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Account } from "@microts/core";
import fc from "fast-check";
import type { Resource, Rule } from "./driver.ts";
import { decide } from "./rules.ts";

const names = ["*", "posts", "POSTS", "tags"];
const endpoints = ["*", "Posts.Read", "posts.read", "/a/*", "/A/b/*", "/a/b", "/a", "Posts.Write"];

const resource = fc.record({
  type: fc.constantFrom("service", "Service", "other"),
  name: fc.constantFrom("posts", "Tags"),
  endpoint: fc.constantFrom("Posts.Read", "Posts.Write", "/a", "/a/b", "/a/B/c", "/ab", ""),
});
const rules = fc.uniqueArray(
  fc.record({
    id: fc.stringMatching(/^[a-z]{1,3}$/),
    scope: fc.constantFrom("", "*", "+", "admin", "reader"),
    resource: fc.record({
      type: fc.constantFrom("*", "service"),
      name: fc.constantFrom(...names),
      endpoint: fc.constantFrom(...endpoints),
    }),
    access: fc.constantFrom("granted" as const, "denied" as const),
    priority: fc.integer({ min: -1, max: 2 }),
  }),
  { selector: (rule) => rule.id, maxLength: 8 },
);
const account = fc.option(
  fc.record({
    id: fc.constant("jane"),
    name: fc.constant("jane"),
    type: fc.constant("user"),
    issuer: fc.constantFrom("acme", "micro"),
    scopes: fc.subarray(["admin", "reader", "other"]),
    metadata: fc.constant({}),
  }),
  { nil: undefined },
);

/** The rules as behaviour §4 tells them: filter, sort, take the first that decides. */
function model(
  all: readonly Rule[],
  caller: Account | undefined,
  namespace: string,
  { type, name, endpoint }: Resource,
) {
  const parts = endpoint.toLowerCase().split("/");
  const wild = parts.map((_, i) => `${parts.slice(0, i + 1).join("/")}/*`);
  const same = (pattern: string, ...values: string[]) => values.some((v) => v.toLowerCase() === pattern.toLowerCase());
  const sorted = all
    .filter((r) => same(r.resource.type, "*", type) && same(r.resource.name, "*", name))
    .filter((r) => same(r.resource.endpoint, "*", endpoint, ...wild))
    .toSorted((a, b) => b.priority - a.priority || a.access.localeCompare(b.access) || (a.id < b.id ? -1 : 1));
  const first = sorted.find(({ scope }) => {
    if (scope === "") return true;
    if (caller === undefined) return false;
    if (scope === "+") return true;
    return caller.issuer === namespace && (scope === "*" || caller.scopes.includes(scope));
  });
  return { allowed: first?.access === "granted", rule: first };
}

const runs = { numRuns: 2000 };

describe("decide", () => {
  it("equals a naive model, whatever the order of the rules (AU-11)", () => {
    fc.assert(
      fc.property(rules, account, resource, fc.infiniteStream(fc.nat()), (all, caller, asked, dice) => {
        const expected = model(all, caller, "acme", asked);
        assert.deepEqual(decide(all, caller, "acme", asked), expected);
        const shuffled = all.map((rule) => ({ rule, at: dice.next().value ?? 0 })).toSorted((a, b) => a.at - b.at);
        const again = decide(
          shuffled.map(({ rule }) => rule),
          caller,
          "acme",
          asked,
        );
        assert.deepEqual(again, expected);
      }),
      runs,
    );
  });

  it("never grants more after a denial is added, nor less after a grant (AU-11)", () => {
    fc.assert(
      fc.property(rules, rules, account, resource, (all, more, caller, asked) => {
        const [added] = more;
        if (added === undefined) return;
        const rule = { ...added, id: "added" };
        const before = decide(all, caller, "acme", asked).allowed;
        const after = decide([...all, rule], caller, "acme", asked).allowed;
        assert.ok(rule.access === "denied" ? !after || before : after || !before);
      }),
      runs,
    );
  });

  it("denies when no rule applies (AU-11)", () => {
    assert.deepEqual(decide([], undefined, "acme", { type: "service", name: "posts", endpoint: "Posts.Read" }), {
      allowed: false,
      rule: undefined,
    });
  });
});
