import { deepEqual, equal, ok } from "node:assert/strict";
import { describe, it } from "node:test";
import { z } from "zod";
import { shapeOfSchema } from "./schema.ts";
import { type FieldShape, type MessageShape, shapeOf } from "./shape.ts";
import { registryValue } from "./value.ts";

function shape(schema: z.ZodType, direction: "input" | "output" = "input"): MessageShape {
  const found = shapeOfSchema("CallRequest", schema, direction);
  ok(found, "the schema has no shape");
  return found;
}

/** `label type required` of the only field. */
function field(schema: z.ZodType, direction?: "input" | "output"): string {
  const [found] = shape(z.object({ a: schema }), direction).fields;
  ok(found);
  const { label, type, required } = found as FieldShape;
  return `${label} ${typeof type === "string" ? type : type.name} ${required ? "required" : "optional"}`;
}

interface Tree {
  readonly name: string;
  readonly children: readonly Tree[];
}
const Tree: z.ZodType<Tree> = z.object({
  name: z.string(),
  get children() {
    return z.array(Tree);
  },
});

describe("the shape of a schema", () => {
  for (const [what, schema, expected] of [
    ["a string", z.string(), "single string required"],
    ["an e-mail", z.email(), "single string required"],
    ["a date as text", z.iso.datetime(), "single string required"],
    ["a boolean", z.boolean(), "single bool required"],
    ["a number", z.number(), "single float64 required"],
    ["a float32", z.float32(), "single float32 required"],
    ["an int", z.int(), "single int64 required"],
    ["an int32", z.int32(), "single int32 required"],
    ["a uint32", z.uint32(), "single uint32 required"],
    ["an int within 32 bits", z.int().min(0).max(100), "single int32 required"],
    ["an int from 0 to 2^32-1", z.int().min(0).max(4_294_967_295), "single uint32 required"],
    ["a positive int", z.int().positive(), "single int64 required"],
    ["an enum", z.enum(["a", "b"]), "single string required"],
    ["a literal", z.literal("a"), "single string required"],
    ["a literal number", z.literal(5), "single float64 required"],
    ["base64", z.base64(), "single bytes required"],
    ["a nullable", z.string().nullable(), "single string optional"],
    ["an optional", z.string().optional(), "single string optional"],
    ["a default", z.string().default("x"), "single string optional"],
    ["an array", z.array(z.string()), "repeated string required"],
    ["an optional array", z.array(z.string()).optional(), "repeated string optional"],
    ["a nullable array", z.array(z.int32()).nullable(), "repeated int32 optional"],
    ["an array of objects", z.array(z.object({ b: z.string() })), "repeated A required"],
    ["an array of arrays", z.array(z.array(z.string())), "repeated any required"],
    ["an array with nulls", z.array(z.string().nullable()), "repeated any required"],
    ["a tuple", z.tuple([z.string(), z.int()]), "single any required"],
    ["a record", z.record(z.string(), z.int32()), "map int32 required"],
    ["a record of objects", z.record(z.string(), z.object({ b: z.string() })), "map A required"],
    ["a record of arrays", z.record(z.string(), z.array(z.string())), "map any required"],
    ["a record of records", z.record(z.string(), z.record(z.string(), z.string())), "map any required"],
    ["an object", z.object({ b: z.string() }), "single A required"],
    ["a nullable object", z.object({ b: z.string() }).nullable(), "single A optional"],
    ["a union", z.union([z.string(), z.int()]), "single any required"],
    ["anything", z.any(), "single any optional"],
    ["what JSON Schema can't say", z.bigint(), "single any required"],
  ] as const) {
    it(`of ${what} is ${expected}`, () =>
      equal(field(schema).replace(/^single any .*/, "any"), expected.replace(/^single any .*/, "any")));
  }

  it("numbers fields in the order of the properties", () => {
    const { fields } = shape(z.object({ z: z.string(), a: z.int(), m: z.boolean() }));
    deepEqual(
      fields.map(({ name, number }) => [name, number]),
      [
        ["z", 1],
        ["a", 2],
        ["m", 3],
      ],
    );
  });

  it("has a default as optional in requests and required in replies", () => {
    equal(field(z.string().default("x"), "input"), "single string optional");
    equal(field(z.string().default("x"), "output"), "single string required");
  });

  it("follows references to what is used twice or named, nullable or not", () => {
    const Point = z.object({ x: z.int32() }).meta({ id: "a/b~c" });
    const { fields } = shape(z.object({ from: Point, to: Point.nullable() }));
    deepEqual(
      fields.map(({ type, required }) => [typeof type === "string" ? type : type.fields[0]?.type, required]),
      [
        ["int32", true],
        ["int32", false],
      ],
    );
  });

  it("goes six levels into a recursive schema", () => {
    let depth = 0;
    for (let at: unknown = shape(Tree); typeof at === "object"; depth++)
      at = (at as MessageShape).fields.find(({ name }) => name === "children")?.type;
    equal(depth, 6);
  });

  it("is none of a root that is no object", () => {
    for (const schema of [z.string(), z.array(z.string()), z.union([z.object({}), z.string()]), z.any()])
      equal(shapeOfSchema("CallRequest", schema, "input"), undefined);
  });

  it("is none, and no endless loop, of references that lead nowhere", () => {
    const loop = { type: "object", properties: { a: { $ref: "#/properties/a" }, b: { $ref: "#/nowhere" } } };
    deepEqual(
      shapeOf("X", loop)?.fields.map(({ type }) => type),
      ["any", "any"],
    );
  });
});

describe("the registry's description", () => {
  it("has names and types as the original writes them (wire §6)", () => {
    const schema = z.object({
      name: z.string(),
      age: z.int32(),
      tags: z.array(z.string()),
      photo: z.base64(),
      counts: z.record(z.string(), z.int()),
      home_address: z.object({ city: z.string() }),
      friends: z.array(z.object({ name: z.string() })),
      extra: z.any(),
    });
    const leaf = (name: string, type: string) => ({ name, type, values: [] });
    deepEqual(registryValue(shape(schema)), {
      name: "CallRequest",
      type: "CallRequest",
      values: [
        leaf("name", "string"),
        leaf("age", "int32"),
        leaf("tags", "[]string"),
        leaf("photo", "[]uint8"),
        leaf("counts", "map[string]int64"),
        { name: "home_address", type: "HomeAddress", values: [leaf("city", "string")] },
        leaf("friends", "[]Friends"),
        leaf("extra", "google.protobuf.Value"),
      ],
    });
  });
});
