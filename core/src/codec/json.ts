import { type DescMessage, type JsonValue, ScalarType } from "@bufbuild/protobuf";
import { MicroError } from "../errors.ts";

const id = "go.micro.codec";
const deepestLevel = 100;
const longNumber = /[:[,]\s*-?\d{16}/;
const wideTypes: ReadonlySet<ScalarType | undefined> = new Set([
  ScalarType.INT64,
  ScalarType.UINT64,
  ScalarType.FIXED64,
  ScalarType.SFIXED64,
  ScalarType.SINT64,
]);

/** Parses JSON that is to become a message of `schema`. Throws 400 for bad JSON, for anything but an object or null, and for more than 100 levels. */
export function parseJson(schema: DescMessage, bytes: Uint8Array): JsonValue {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
  const value = parse(schema, text);
  // As many levels take as many opening and closing brackets.
  if (text.length > 2 * deepestLevel && isDeeperThan(value, deepestLevel)) {
    throw MicroError.badRequest(id, `${schema.typeName} is more than ${deepestLevel} levels deep. Send flatter JSON.`);
  }
  return value;
}

function parse(schema: DescMessage, text: string): JsonValue {
  try {
    return longNumber.test(text) && keepsWide(schema) ? JSON.parse(text, wideAsText) : JSON.parse(text);
  } catch (error) {
    // The parser's own message quotes the text, which may be a secret.
    const position = error instanceof Error ? /position \d+/.exec(error.message)?.[0] : undefined;
    throw MicroError.badRequest(
      id,
      `Expected ${schema.typeName} as JSON; this is not JSON${position ? ` at ${position}` : ""}.`,
    );
  }
}

/** A whole number no double can hold, as the text it came as: fields of 64 bits read both. */
function wideAsText(_key: string, value: JsonValue, context?: { source?: string }): JsonValue {
  if (typeof value !== "number" || !Number.isInteger(value) || Number.isSafeInteger(value)) return value;
  return context?.source !== undefined && /^-?\d+$/.test(context.source) ? context.source : value;
}

const wide = new WeakMap<DescMessage, boolean>();

/** Whether large numbers have to be kept for this message: it has 64-bit fields, and no field that holds any JSON, where a number must stay one. */
function keepsWide(schema: DescMessage): boolean {
  let isWide = wide.get(schema);
  if (isWide === undefined) {
    const messages = within(schema, new Set());
    const hasWide = [...messages].some(({ fields }) => fields.some(({ scalar }) => wideTypes.has(scalar)));
    isWide =
      hasWide &&
      ![...messages].some(({ typeName }) => /^google\.protobuf\.(Any|ListValue|Struct|Value)$/.test(typeName));
    wide.set(schema, isWide);
  }
  return isWide;
}

function within(schema: DescMessage, found: Set<DescMessage>): Set<DescMessage> {
  if (found.has(schema)) return found;
  found.add(schema);
  for (const { message } of schema.fields) if (message) within(message, found);
  return found;
}

function isDeeperThan(value: JsonValue, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (levels === 0) return true;
  for (const inner of Array.isArray(value) ? value : Object.values(value)) {
    if (isDeeperThan(inner, levels - 1)) return true;
  }
  return false;
}
