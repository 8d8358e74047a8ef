import { MicroError } from "@microts/core";
import type { Json } from "./driver.ts";

/** Deepest nesting of a document, path and value together. */
export const maxDepth = 64;
/** The most a document may have, in bytes of JSON. */
export const maxDocumentBytes = 1024 * 1024;

/**
 * A copy of the value that nobody else can change, its objects without a prototype, so that `__proto__` is a key like any other. Throws 400 for
 * what JSON can't say or nests more than `depth` deep.
 */
export function checkJson(value: unknown, at: string, depth = maxDepth): Json {
  if (value === null || typeof value === "boolean" || typeof value === "string") return value;
  if (typeof value === "number" && Number.isFinite(value)) return value;
  if (typeof value !== "object")
    throw MicroError.badRequest(at, `invalid change: ${describe(value)} is not a JSON value`);
  if (depth <= 0) throw MicroError.badRequest(at, `invalid change: the value nests more than ${maxDepth} deep`);
  if (Array.isArray(value)) return value.map((item) => checkJson(item, at, depth - 1));
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && prototype !== Object.prototype) {
    throw MicroError.badRequest(at, `invalid change: ${describe(value)} is not a plain object`);
  }
  const copy: Record<string, Json> = Object.create(null);
  for (const [key, item] of Object.entries(value)) copy[key] = checkJson(item, at, depth - 1);
  return copy;
}

/** Whether the value is an object, neither null nor an array. */
export function isObject(value: Json | undefined): value is { readonly [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function describe(value: unknown): string {
  if (typeof value === "object" && value !== null) return `a ${value.constructor?.name ?? "strange object"}`;
  return typeof value === "number" ? String(value) : typeof value;
}
