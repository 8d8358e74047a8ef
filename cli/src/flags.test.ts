import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MicroError } from "@microts/core";
import { type Flags, parseFlags } from "./flags.ts";

const flags = {
  name: { kind: "text", short: "n", help: "" },
  env_vars: { kind: "pairs", help: "" },
  scopes: { kind: "list", help: "" },
  limit: { kind: "int", short: "l", help: "" },
  follow: { kind: "bool", short: "f", help: "" },
  since: { kind: "duration", help: "" },
  order: { kind: "text", choices: ["asc", "desc"], fallback: "asc", help: "" },
  user: { kind: "text", alias: "email", env: "TEST_USER", help: "" },
} as const satisfies Flags;

const parse = (args: readonly string[], env: Record<string, string> = {}) => parseFlags("micro test", flags, args, env);

describe("parseFlags", () => {
  const accepted: readonly [string, readonly string[], object, readonly string[]][] = [
    ["a value after =", ["--name=Jane"], { name: "Jane" }, []],
    ["a value in the next word", ["--name", "Jane"], { name: "Jane" }, []],
    ["one dash", ["-name=Jane"], { name: "Jane" }, []],
    ["a short name", ["-n", "Jane"], { name: "Jane" }, []],
    ["more than one =", ["--name=a=b"], { name: "a=b" }, []],
    ["an empty value", ["--name="], { name: "" }, []],
    ["dashes for underscores", ["--env-vars", "A=1"], { env_vars: { A: "1" } }, []],
    ["repeated pairs", ["--env_vars", "A=1", "--env_vars", "B=x=y"], { env_vars: { A: "1", B: "x=y" } }, []],
    ["pairs with commas", ["--env_vars", "A=1,B=2"], { env_vars: { A: "1", B: "2" } }, []],
    ["commas inside a pair's value", ["--env_vars", "A=1,2,3"], { env_vars: { A: "1,2,3" } }, []],
    ["lists", ["--scopes", "a,b", "--scopes", "c"], { scopes: ["a", "b", "c"] }, []],
    ["a bool without a value", ["--follow", "name"], { follow: true }, ["name"]],
    ["a bool with a value", ["--follow=false", "name"], { follow: false }, ["name"]],
    ["a bool followed by false", ["-f", "false"], { follow: false }, []],
    ["flags after words", ["a", "-f", "b"], { follow: true }, ["a", "b"]],
    ["negative numbers as words", ["a", "-5"], {}, ["a", "-5"]],
    ["a value that begins with a dash", ["--name", "-5"], { name: "-5" }, []],
    ["everything after --", ["--", "--name", "x"], {}, ["--name", "x"]],
    ["a lone dash as a word", ["-"], {}, ["-"]],
    ["durations", ["--since", "1h30m"], { since: 5_400_000 }, []],
    ["another name", ["--email", "x@y"], { user: "x@y" }, []],
    ["the last of several", ["--name=a", "--name=b"], { name: "b" }, []],
  ];
  for (const [what, args, values, words] of accepted) {
    it(`reads ${what}`, () => {
      const parsed = parse(args);
      const empty = {
        name: undefined,
        env_vars: {},
        scopes: [],
        limit: undefined,
        follow: false,
        since: undefined,
        order: "asc",
        user: undefined,
      };
      assert.deepEqual(parsed.values, { ...empty, ...values });
      assert.deepEqual(parsed.words, words);
    });
  }

  const refused: readonly [string, readonly string[], RegExp][] = [
    ["an unknown flag, naming the nearest", ["--nam=x"], /Unknown flag: --nam\. Did you mean --name\?/],
    ["a missing value", ["--name"], /--name needs a value/],
    ["a flag where a value belongs", ["--name", "--follow"], /--name needs a value/],
    ["a number that is none", ["--limit", "ten"], /--limit must be a whole number.*"ten"/],
    ["a negative number", ["--limit=-1"], /--limit must be a whole number/],
    ["a duration without a unit", ["--since", "10"], /--since must be a duration/],
    ["a text that is no choice", ["--order", "up"], /--order must be one of asc, desc, not "up"/],
    ["a pair without =", ["--env_vars", "A"], /--env_vars must be key=value, not "A"/],
    ["a bool that is none", ["--follow=maybe"], /--follow must be true or false/],
    ["what only looks like a flag", ["--näme=x"], /is not a flag/],
  ];
  for (const [what, args, message] of refused) {
    it(`refuses ${what}`, () => {
      assert.throws(
        () => parse(args),
        (error) => error instanceof MicroError && message.test(error.detail),
      );
    });
  }

  it("takes the environment where a flag isn't given", () => {
    assert.equal(parse([], { TEST_USER: "jane" }).values.user, "jane");
    assert.equal(parse(["--user=joe"], { TEST_USER: "jane" }).values.user, "joe");
    assert.equal(parse([], { TEST_USER: "" }).values.user, undefined);
  });

  it("says when help is wanted", () => {
    assert.equal(parse(["a", "--help"]).help, true);
    assert.equal(parse(["-h"]).help, true);
    assert.equal(parse(["--", "--help"]).help, false);
  });
});
