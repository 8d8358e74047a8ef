import type { MicroError } from "@microts/core";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { type MessageShape, shapeOf } from "./shape.ts";

/** Any validator that implements Standard Schema (zod, valibot, arktype, …). */
export type Schema<Input = unknown, Output = Input> = StandardSchemaV1<Input, Output>;

/** The shape of a schema whose library also implements Standard JSON Schema, or undefined when it can't be told. */
export function shapeOfSchema(
  name: string,
  schema: Schema | undefined,
  direction: "input" | "output",
): MessageShape | undefined {
  const json = schema && jsonSchemaOf(schema, direction);
  return json && shapeOf(name, json);
}

/** The JSON Schema of a schema whose library also implements Standard JSON Schema, or undefined. */
export function jsonSchemaOf(
  schema: Schema,
  direction: "input" | "output",
): Readonly<Record<string, unknown>> | undefined {
  const props = schema["~standard"] as { jsonSchema?: unknown };
  const converter = props.jsonSchema as
    | Record<typeof direction, (options: object) => Record<string, unknown>>
    | undefined;
  try {
    return converter?.[direction]({ target: "draft-2020-12", libraryOptions: { unrepresentable: "any" } });
  } catch {
    // A type JSON Schema can't express: the schema validates, without a published shape.
    return undefined;
  }
}

/** Something that is wrong with a value, and where: keys and indexes from its top. */
export interface Issue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** The validated (and possibly transformed) value, or what is wrong with it. */
export async function check<T>(
  schema: Schema<unknown, T>,
  value: unknown,
): Promise<{ readonly value: T } | { readonly issues: readonly Issue[] }> {
  let result = schema["~standard"].validate(value);
  if (result instanceof Promise) result = await result;
  if (result.issues === undefined) return { value: result.value };
  return {
    issues: result.issues.map(({ message, path = [] }) => ({
      message,
      path: path.map((part) => (typeof part === "object" ? part.key : part)),
    })),
  };
}

/** The validated (and possibly transformed) value. Throws `error(message)` that lists every issue with its path. */
export async function validate<T>(
  schema: Schema<unknown, T> | undefined,
  value: unknown,
  error: (issues: string) => MicroError,
): Promise<T> {
  if (schema === undefined) return value as T;
  const result = await check(schema, value);
  if ("value" in result) return result.value;
  const issues = result.issues.slice(0, 10).map(({ message, path }) => {
    const at = path.map(String).join(".");
    return at ? `${at}: ${message}` : message;
  });
  if (result.issues.length > issues.length) issues.push(`and ${result.issues.length - issues.length} more`);
  throw error(issues.join("; "));
}
