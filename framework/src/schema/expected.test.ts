import { equal } from "node:assert/strict";
import { describe, it } from "node:test";
import { z } from "zod";
import { expectedAt } from "./expected.ts";
import { jsonSchemaOf } from "./schema.ts";

describe("expectedAt", () => {
  const text = (schema: z.ZodType, ...keys: string[]) => {
    const json = jsonSchemaOf(schema, "input");
    return json && expectedAt(json, keys)?.text;
  };

  it("names the type that a schema wants at a path", () => {
    equal(text(z.string()), "a text");
    equal(text(z.object({ a: z.object({ b: z.int() }) }), "a", "b"), "a whole number");
    equal(text(z.record(z.string(), z.boolean()), "any"), "true or false");
    equal(text(z.object({ a: z.string().nullable() }), "a"), "a text or null");
    equal(text(z.object({ a: z.enum(["x", "y"]) }), "a"), '"x" or "y"');
    equal(text(z.object({ a: z.literal(7) }), "a"), "7");
    equal(text(z.object({ a: z.array(z.string()) }), "a"), "a list");
    equal(text(z.union([z.object({ a: z.string() }), z.object({ b: z.number() })]), "b"), "a number");
    equal(
      text(
        z.discriminatedUnion("k", [z.object({ k: z.literal("x") }), z.object({ k: z.literal("y"), n: z.number() })]),
        "n",
      ),
      "a number",
    );
  });

  it("follows references, in a circle too", () => {
    interface Tree {
      readonly name: string;
      readonly next?: Tree | undefined;
    }
    const tree: z.ZodType<Tree> = z.object({ name: z.string(), next: z.lazy(() => tree).optional() });
    equal(text(tree, "next", "next", "name"), "a text");
    equal(expectedAt({ $ref: "#" }, ["a"])?.text, undefined);
    equal(expectedAt({ $ref: "#/nowhere" }, [])?.text, undefined);
  });

  it("says nothing where the schema doesn't", () => {
    equal(text(z.object({ a: z.any() }), "a"), undefined);
    equal(text(z.strictObject({ a: z.string() }), "b"), undefined);
    equal(text(z.object({ a: z.string() }), "constructor"), undefined);
    equal(text(z.object({ a: z.union([z.string(), z.any()]) }), "a"), undefined);
  });
});
