import { deepEqual, equal, rejects } from "node:assert/strict";
import { describe, it } from "node:test";
import { MicroError } from "@microts/core";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { z } from "zod";
import { type Schema, shapeOfSchema, validate } from "./schema.ts";

const failure = (issues: string) => MicroError.badRequest("a.A.B", issues);

/** A validator by hand, as any library may provide: no JSON Schema, and answers later. */
const even: Schema<unknown, number> = {
  "~standard": {
    version: 1,
    vendor: "hand",
    validate: async (value) =>
      typeof value === "number" && value % 2 === 0
        ? { value }
        : { issues: [{ message: "not even", path: ["a", { key: 0 }, Symbol("s")] }] },
  } satisfies StandardSchemaV1.Props<unknown, number>,
};

describe("validate", () => {
  it("gives the transformed value", async () => {
    const schema = z.object({ n: z.coerce.number(), d: z.string().default("x") });
    deepEqual(await validate(schema, { n: "5", more: 1 }, failure), { n: 5, d: "x" });
  });

  it("passes everything when there is no schema", async () => {
    equal(await validate(undefined, "x", failure), "x");
  });

  it("names every mistake with its path", async () => {
    const schema = z.object({ name: z.string(), tags: z.array(z.object({ id: z.int() })) });
    await rejects(validate(schema, { tags: [{ id: 1 }, { id: "x" }] }, failure), {
      detail: /^name: .*expected string.*; tags\.1\.id: .*expected number/,
    });
  });

  it("has no path for the value itself", async () => {
    await rejects(validate(z.string(), 5, failure), { detail: /^Invalid input/ });
  });

  it("counts the mistakes past the tenth", async () => {
    await rejects(validate(z.array(z.string()), Array(25).fill(1), failure), { detail: /; and 15 more$/ });
  });

  it("takes any Standard Schema, one that answers later too", async () => {
    equal(await validate(even, 4, failure), 4);
    await rejects(validate(even, 5, failure), { code: 400, detail: "a.0.Symbol(s): not even" });
  });
});

describe("shapeOfSchema", () => {
  it("is none for a validator without JSON Schema, or none at all", () => {
    equal(shapeOfSchema("X", even, "input"), undefined);
    equal(shapeOfSchema("X", undefined, "input"), undefined);
  });
});
