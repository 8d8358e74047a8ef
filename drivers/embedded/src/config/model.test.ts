// Random sequences of changes, readings, rotations and restarts, compared with a model. CONFIG_MODEL_SEED=<number> runs a failure again.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import type { Json } from "@microts/blocks/config";
import fc from "fast-check";
import { EmbeddedConfig } from "../config.ts";
import { openEmbeddedStore } from "../store.ts";
import { givenRootKeys } from "./root-keys.ts";

const sequences = process.env["MICRO_NIGHTLY"] === undefined ? 1_000 : 10_000;
const seed = Number(process.env["CONFIG_MODEL_SEED"] ?? Date.now() % 2 ** 31);
const signal = new AbortController().signal;

/** A document as config promises it: objects are trees, all else is a leaf, and a leaf may be a secret. */
type Node = Map<string, Node> | { readonly json: Json; readonly secret: boolean };

function setIn(tree: Map<string, Node>, [key = "", ...rest]: readonly string[], value: Json, secret: boolean): void {
  const there = tree.get(key);
  if (rest.length > 0 || isObject(value)) {
    const inner = there instanceof Map ? there : new Map<string, Node>();
    tree.set(key, inner);
    if (rest.length > 0) setIn(inner, rest, value, secret);
    else for (const [name, item] of Object.entries(value as object)) setIn(inner, [name], item, secret);
  } else tree.set(key, { json: value, secret });
}

function isObject(value: Json): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function nodeIn(tree: Node | undefined, path: readonly string[]): Node | undefined {
  return path.reduce<Node | undefined>((node, key) => (node instanceof Map ? node.get(key) : undefined), tree);
}

function shown(node: Node | undefined, reveal: boolean): string | undefined {
  if (node === undefined) return undefined;
  if (!(node instanceof Map)) return JSON.stringify(node.secret && !reveal ? "[secret]" : node.json);
  const entries = [...node].map(([key, child]) => [key, JSON.parse(shown(child, reveal) ?? "null")] as const);
  return JSON.stringify(Object.fromEntries(entries));
}

/** Objects as lists of their entries in one order: neither side promises any. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return entries.map(([key, item]) => [key, sorted(item)]);
}

const key = fc.constantFrom("a", "b", "c", "with.dot", "__proto__", "o", "v", "s");
const path = fc.array(key, { minLength: 1, maxLength: 4 });
const json = fc.letrec<{ json: Json }>((tie) => ({
  json: fc.oneof(
    { depthSize: "small", maxDepth: 3 },
    fc.constantFrom<Json>(null, true, 0, -1.5, "", "text", "[secret]"),
    fc.array(tie("json"), { maxLength: 3 }),
    fc.array(fc.tuple(key, tie("json")), { maxLength: 3 }).map((entries) =>
      // A key `__proto__` has to become one, not the prototype.
      entries.reduce<Record<string, Json>>(
        (object, [name, item]) =>
          Object.defineProperty(object, name, { value: item, enumerable: true, configurable: true, writable: true }),
        {},
      ),
    ),
  ),
})).json;

const operation = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("set" as const), path, value: json, secret: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("delete" as const), path: fc.array(key, { maxLength: 3 }) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("get" as const),
      path: fc.array(key, { maxLength: 4 }),
      reveal: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("restart" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("rotate" as const) }) },
);

describe("config and its model", () => {
  it(`say the same after any sequence of operations (CF-06; seed ${seed})`, { timeout: 280_000 }, async () => {
    await using store = await openEmbeddedStore();
    const rootKeys = givenRootKeys([randomBytes(32)]);
    let config = new EmbeddedConfig({ store, rootKeys });
    const property = fc.asyncProperty(fc.array(operation, { maxLength: 20 }), path, async (operations, watched) => {
      await config.delete("acme", [], signal);
      let model: Map<string, Node> | undefined;
      const expected = (at: readonly string[], reveal: boolean) => inOrder(shown(nodeIn(model, at), reveal));
      const agree = async (at: readonly string[], reveal: boolean) =>
        assert.equal(inOrder(JSON.stringify(await config.get("acme", at, reveal, signal))), expected(at, reveal));
      const ending = new AbortController();
      let watching = (await config.watch("acme", watched, true, ending.signal))[Symbol.asyncIterator]();
      await watching.next();
      let seen: string | undefined;
      for (const step of operations) {
        if (step.do === "set") {
          await config.set("acme", step.path, step.value, step.secret, signal);
          model ??= new Map();
          setIn(model, step.path, step.value, step.secret);
        } else if (step.do === "delete") {
          await config.delete("acme", step.path, signal);
          if (step.path.length === 0) model = undefined;
          const parent = nodeIn(model, step.path.slice(0, -1));
          if (parent instanceof Map) parent.delete(step.path.at(-1) ?? "");
        } else if (step.do === "get") await agree(step.path, step.reveal);
        else if (step.do === "rotate") for await (const _ of await config.rotate(signal));
        else {
          await config[Symbol.asyncDispose]();
          config = new EmbeddedConfig({ store, rootKeys });
          watching = (await config.watch("acme", watched, true, ending.signal))[Symbol.asyncIterator]();
          seen = inOrder(JSON.stringify((await watching.next()).value));
          assert.equal(seen, expected(watched, true));
        }
      }
      await agree([], true);
      await agree([], false);
      if (expected(watched, true) !== seen)
        assert.equal(inOrder(JSON.stringify((await watching.next()).value)), expected(watched, true));
      ending.abort();
    });
    await fc.assert(property, { numRuns: sequences, seed });
  });
});

function inOrder(json: string | undefined): string | undefined {
  return json === undefined ? undefined : JSON.stringify(sorted(JSON.parse(json)));
}
