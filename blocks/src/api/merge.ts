import { MicroError } from "@microts/core";
import { isExactNumber, type Json, type JsonObject, parseJson } from "./json.ts";

/**
 * Adds fields of the query to a JSON body; where both have a field the body wins, and objects are merged. The body's own bytes are kept as they
 * are unless an object of it takes in fields. Throws 400 when the body is not a JSON object.
 */
export function mergeIntoBody(fields: JsonObject, body: Buffer): Uint8Array {
  const text = body.toString();
  const parsed = parseJson(text, "The body");
  if (!isObject(parsed)) {
    throw MicroError.badRequest(
      "go.micro.api",
      "The body has to be a JSON object to take in the fields of the query. Send {…}, or leave out the query",
    );
  }
  const added: JsonObject = Object.create(null);
  for (const [name, value] of Object.entries(fields)) {
    if (!Object.hasOwn(parsed, name)) added[name] = value;
    else if (isObject(parsed[name]) && isObject(value)) return Buffer.from(JSON.stringify(merged(fields, parsed)));
  }
  const prefix = JSON.stringify(added).slice(0, -1);
  if (prefix === "{") return body;
  const comma = Object.keys(parsed).length > 0 ? "," : "";
  return Buffer.from(prefix + comma + text.slice(text.indexOf("{") + 1));
}

function merged(under: JsonObject, over: JsonObject): JsonObject {
  const result: JsonObject = Object.create(null);
  for (const [name, value] of Object.entries(under)) result[name] = value;
  for (const [name, value] of Object.entries(over)) {
    const below = result[name];
    result[name] = isObject(below) && isObject(value) ? merged(below, value) : value;
  }
  return result;
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !isExactNumber(value);
}
