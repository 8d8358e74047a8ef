import { isUtf8 } from "node:buffer";
import { MicroError } from "@microts/core";
import type { Value } from "../registry/index.ts";
import { addUrlencoded, Fields } from "./fields.ts";
import { isTooDeep, jsonProblem } from "./json.ts";
import { mergeIntoBody } from "./merge.ts";
import { boundaryOf, partsOf } from "./multipart.ts";

/** What of an HTTP request becomes a service's request. */
export interface RequestParts {
  /** What follows the `?`; "" without. */
  readonly query: string;
  readonly contentType: string | undefined;
  /** Undefined when the method takes none. */
  readonly body: Buffer | undefined;
  /** The endpoint's request, when the registry knows it. */
  readonly schema: Value | undefined;
}

const emptyObject = Buffer.from("{}");

/**
 * The JSON a service is called with (the mapping table is in README.md). A JSON body without a query passes through byte for byte, unparsed;
 * whether it is JSON is for the service to say. Throws 400 for fields and bodies that can't be read, 415 for a content type nobody can.
 */
export function requestBytes({ query, contentType, body, schema }: RequestParts): Uint8Array {
  if (body === undefined || body.length === 0) return fieldsOf(query, schema)?.toBytes() ?? emptyObject;
  switch (kindOf(contentType, body)) {
    case "json":
      return jsonBytes(body, fieldsOf(query, schema));
    case "form":
      return formBytes(query, schema, (fields) => addUrlencoded(fields, textOf(body), "text"));
    case "multipart":
      return formBytes(query, schema, (fields) => addParts(fields, body, contentType ?? ""));
  }
}

function fieldsOf(query: string, schema: Value | undefined): Fields | undefined {
  if (query === "") return undefined;
  const fields = new Fields(schema);
  addUrlencoded(fields, query, "json");
  return fields.isEmpty ? undefined : fields;
}

function jsonBytes(body: Buffer, fields: Fields | undefined): Uint8Array {
  if (!isUtf8(body)) throw notUtf8();
  return fields === undefined ? body : mergeIntoBody(fields.object, body);
}

function formBytes(query: string, schema: Value | undefined, add: (fields: Fields) => void): Uint8Array {
  const fields = new Fields(schema);
  addUrlencoded(fields, query, "text");
  add(fields);
  return fields.toBytes();
}

function addParts(fields: Fields, body: Buffer, contentType: string): void {
  for (const { name, filename, content } of partsOf(body, boundaryOf(contentType))) {
    fields.add(name, filename === undefined ? textOf(content) : content.toString("base64"), "text");
  }
}

/** Charset and other parameters don't matter, except that JSON is UTF-8. */
function kindOf(contentType: string | undefined, body: Buffer): "json" | "form" | "multipart" {
  if (contentType === undefined || contentType === "application/json") return "json";
  const [type = "", ...parameters] = contentType.toLowerCase().split(";");
  const name = type.trim();
  if (name === "application/json" || /^application\/[a-z0-9.-]+\+json$/.test(name)) {
    const charset = parameters.map((parameter) => /^\s*charset="?([^"]*)"?\s*$/.exec(parameter)?.[1]).find(Boolean);
    if (charset === undefined || charset === "utf-8" || charset === "utf8" || charset === "us-ascii") return "json";
    throw unsupported(`JSON is read as UTF-8, not as ${JSON.stringify(charset.slice(0, 20))}`);
  }
  // `curl -d '{…}'` says form and means JSON; no form begins with a bare brace, it would be encoded.
  if (name === "application/x-www-form-urlencoded") return body[0] === 0x7b ? "json" : "form";
  if (name === "multipart/form-data") return "multipart";
  throw unsupported(`${JSON.stringify(name.slice(0, 60))} can't be read`);
}

function textOf(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw notUtf8();
  return bytes.toString();
}

function notUtf8(): MicroError {
  return MicroError.badRequest("go.micro.api", "The body is not valid UTF-8");
}

function unsupported(reason: string): MicroError {
  return new MicroError(
    415,
    "go.micro.api",
    `${reason}. Send application/json, application/x-www-form-urlencoded or multipart/form-data`,
  );
}

/** A service that fails on a body which isn't JSON, or is nested absurdly deep, fails because of that: the caller is told where. */
export function blameBody(reason: unknown, request: Uint8Array): unknown {
  if (reason instanceof MicroError && reason.code !== 400 && reason.code !== 500) return reason;
  const text = Buffer.from(request.buffer, request.byteOffset, request.byteLength).toString();
  if (isTooDeep(text)) return MicroError.badRequest("go.micro.api", "The body is nested too deep. Send flatter JSON");
  try {
    JSON.parse(text);
    return reason;
  } catch {
    return MicroError.badRequest("go.micro.api", `The body is not JSON: ${jsonProblem(text) ?? "it can't be parsed"}`);
  }
}
