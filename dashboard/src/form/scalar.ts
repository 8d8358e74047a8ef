import type { Json } from "../json-text.ts";
import type { ScalarType } from "./field.ts";

/** A value, or what is wrong with the text. */
export type Parsed = { readonly value: Json } | { readonly problem: string };

const integers: Readonly<Partial<Record<ScalarType, readonly [bigint, bigint]>>> = {
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint32: [0n, 2n ** 32n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
};

/** Values that JSON has no number for, as protobuf's JSON mapping writes them. */
const wordNumbers = ["NaN", "Infinity", "-Infinity"];

/** Reads a text as a value of the type. Integers beyond 2^53 become strings, as in protobuf's JSON mapping. */
export function parseScalar(type: ScalarType, text: string): Parsed {
  if (type === "string") return { value: text };
  const trimmed = text.trim();
  if (type === "bool") return parseBool(trimmed);
  if (type === "bytes") return parseBytes(trimmed.replaceAll(/\s/g, ""));
  const range = integers[type];
  return range === undefined ? parseFloating(type, trimmed) : parseInteger(range, trimmed);
}

/** The text that `parseScalar` reads as the value, or undefined when there is none. */
export function scalarText(json: Json | undefined): string | undefined {
  if (typeof json === "string") return json;
  if (typeof json === "number" || typeof json === "boolean") return String(json);
  const isOpaqueNumber = typeof json === "object" && json !== null && Object.getPrototypeOf(json) === null;
  return isOpaqueNumber ? JSON.stringify(json) : undefined;
}

function parseBool(text: string): Parsed {
  return text === "true" || text === "false" ? { value: text === "true" } : { problem: "has to be true or false" };
}

function parseInteger([least, most]: readonly [bigint, bigint], text: string): Parsed {
  if (!/^[+-]?\d{1,40}$/.test(text)) return { problem: "has to be a whole number" };
  const value = BigInt(text.replace(/^\+/, ""));
  if (value < least || value > most) return { problem: `has to be between ${least} and ${most}` };
  return { value: Number.isSafeInteger(Number(value)) ? Number(value) : String(value) };
}

function parseFloating(type: ScalarType, text: string): Parsed {
  if (wordNumbers.includes(text)) return { value: text };
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return { problem: "has to be a number" };
  const value = Number(text);
  const isInRange = Number.isFinite(type === "float32" ? Math.fround(value) : value);
  return isInRange ? { value } : { problem: `is too large for a ${type}` };
}

function parseBytes(text: string): Parsed {
  const isBase64 = /^[\w+/-]*={0,2}$/.test(text) && text.replace(/=+$/, "").length % 4 !== 1;
  return isBase64 ? { value: text } : { problem: "has to be base64" };
}
