import {
  type DescEnum,
  type DescField,
  type DescMessage,
  type JsonObject,
  type JsonValue,
  ScalarType,
} from "@bufbuild/protobuf";
import { MicroError } from "../errors.ts";

const id = "go.micro.codec";
/** What Go's strconv.ParseBool takes. */
const booleans: ReadonlyMap<string, boolean> = new Map([
  ...["1", "t", "T", "true", "TRUE", "True"].map((text) => [text, true] as const),
  ...["0", "f", "F", "false", "FALSE", "False"].map((text) => [text, false] as const),
]);

/**
 * The second, lenient reading of JSON for a message (wire §3.6): leaves out unknown fields, turns text into numbers and booleans where the field is
 * one, and names fields the original way, which wins when both names are there. Throws 400 naming the first field of the wrong type.
 */
export function convertFields(schema: DescMessage, json: JsonValue): JsonObject {
  return objectOf(schema, json, "");
}

function objectOf(schema: DescMessage, json: JsonValue, path: string): JsonObject {
  if (!isObject(json)) throw wrong(path, `an object (${schema.typeName})`, json);
  const known = emptyObject();
  for (const field of schema.fields) {
    const key = [field.name, field.jsonName].find((name) => Object.hasOwn(json, name));
    const value = key === undefined ? undefined : json[key];
    if (value !== undefined)
      known[field.name] = convert(field, value, path === "" ? field.name : `${path}.${field.name}`);
  }
  return known;
}

function convert(field: DescField, json: JsonValue, path: string): JsonValue {
  if (json === null) return json;
  switch (field.fieldKind) {
    case "list":
      if (!Array.isArray(json)) throw wrong(path, "an array", json);
      return json.map((item, index) => single(field, item, `${path}[${index}]`));
    case "map":
      if (!isObject(json)) throw wrong(path, "an object", json);
      return entriesOf(field, json, path);
    default:
      return single(field, json, path);
  }
}

function entriesOf(field: DescField, json: JsonObject, path: string): JsonObject {
  const entries = emptyObject();
  for (const [key, value] of Object.entries(json))
    entries[key] = single(field, value, `${path}[${JSON.stringify(key)}]`);
  return entries;
}

function single(field: DescField, json: JsonValue, path: string): JsonValue {
  if (field.message) return messageOf(field.message, json, path);
  if (field.enum) return enumOf(field.enum, json, path);
  switch (field.scalar) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      if (typeof json !== "string")
        throw wrong(path, field.scalar === ScalarType.BYTES ? "base64 text" : "a string", json);
      return json;
    case ScalarType.BOOL:
      return booleanOf(json, path);
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return floatOf(json, path);
    default:
      return integerOf(json, path);
  }
}

function messageOf(schema: DescMessage, json: JsonValue, path: string): JsonValue {
  // Protobuf's own types have JSON forms of their own, null among them.
  return schema.typeName.startsWith("google.protobuf.") ? json : objectOf(schema, json, path);
}

function enumOf({ values, typeName }: DescEnum, json: JsonValue, path: string): JsonValue {
  if (typeName === "google.protobuf.NullValue") return json;
  if (typeof json === "number") return integerOf(json, path);
  if (typeof json === "string") {
    if (values.some(({ name }) => name === json)) return json;
    if (/^-?\d+$/.test(json)) return Number(json);
  }
  throw wrong(path, `one of ${values.map(({ name }) => name).join(", ")}`, json);
}

function booleanOf(json: JsonValue, path: string): boolean {
  const value = typeof json === "string" ? booleans.get(json.trim()) : json;
  if (typeof value !== "boolean") throw wrong(path, "true or false", json);
  return value;
}

function floatOf(json: JsonValue, path: string): JsonValue {
  if (typeof json === "number") return json;
  const text = typeof json === "string" ? json.trim() : "";
  if (/^(NaN|-?Infinity)$/.test(text)) return text;
  if (text === "" || !Number.isFinite(Number(text))) throw wrong(path, "a number", json);
  return Number(text);
}

/** Keeps text as text: an integer of 64 bits may not fit a number. */
function integerOf(json: JsonValue, path: string): JsonValue {
  if (typeof json === "number" && Number.isInteger(json)) return json;
  if (typeof json !== "string") throw wrong(path, "an integer", json);
  const text = json.trim();
  if (/^[+-]?\d+$/.test(text)) return text.replace("+", "");
  if (text === "" || !Number.isSafeInteger(Number(text))) throw wrong(path, "an integer", json);
  return Number(text);
}

/** The value itself stays out: it may be a secret. */
function wrong(path: string, expected: string, json: JsonValue): MicroError {
  const subject = path === "" ? "The message" : `Field ${path}`;
  return MicroError.badRequest(id, `${subject} has to be ${expected}; what came is ${kindOf(json)}.`);
}

function kindOf(json: JsonValue): string {
  if (json === null) return "null";
  if (Array.isArray(json)) return "an array";
  if (typeof json === "object") return "an object";
  return typeof json === "string" ? "other text" : `a ${typeof json}`;
}

function isObject(json: JsonValue): json is JsonObject {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}

/** Without a prototype, so that no key means anything but itself. */
function emptyObject(): JsonObject {
  return Object.create(null);
}
