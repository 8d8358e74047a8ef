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
  if (schema === undefined) return undefined;
  const props = schema["~standard"] as { jsonSchema?: unknown };
  const converter = props.jsonSchema as
    | Record<typeof direction, (options: object) => Record<string, unknown>>
    | undefined;
  if (converter === undefined) return undefined;
  try {
    return shapeOf(name, converter[direction]({ target: "draft-2020-12", libraryOptions: { unrepresentable: "any" } }));
  } catch {
    // A type JSON Schema can't express: the endpoint works with JSON, without a published shape.
    return undefined;
  }
}

/** The validated (and possibly transformed) value. Throws `error(message)` that lists every issue with its path. */
export async function validate<T>(
  schema: Schema<unknown, T> | undefined,
  value: unknown,
  error: (issues: string) => MicroError,
): Promise<T> {
  if (schema === undefined) return value as T;
  let result = schema["~standard"].validate(value);
  if (result instanceof Promise) result = await result;
  if (result.issues === undefined) return result.value;
  const issues = result.issues.slice(0, 10).map(({ message, path }) => {
    const at = path?.map((part) => String(typeof part === "object" ? part.key : part)).join(".");
    return at ? `${at}: ${message}` : message;
  });
  if (result.issues.length > issues.length) issues.push(`and ${result.issues.length - issues.length} more`);
  throw error(issues.join("; "));
}
