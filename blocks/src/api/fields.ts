import { MicroError } from "@microts/core";
import type { Value } from "../registry/index.ts";
import { deepestLevel, isExactNumber, type Json, type JsonObject, parseJson, parseNumber } from "./json.ts";

/**
 * Text fields (a query, a form) → a JSON object. `a[b]=1` and `a.b=1` nest, `a[]=1` appends, `a[0]=1` sets the place in a list. What the
 * endpoint's schema says decides how a text is read: a string field keeps it, a number or boolean field parses it, a list field collects repeats.
 * Without a schema `untyped` decides: `json` reads JSON where it is JSON and takes the last of repeats (queries), `text` keeps text and joins
 * repeats with commas (forms).
 */
export class Fields {
  readonly object: JsonObject = {};
  readonly #schema: Value | undefined;
  #count = 0;

  constructor(schema: Value | undefined) {
    this.#schema = schema;
  }

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  /** Adds a field. Throws 400 for more than 1,000 of them, for a name of more than 32 parts, and for a gap in a list. */
  add(name: string, text: string, untyped: "json" | "text"): void {
    if (++this.#count > maxFields) throw refused(`more than ${maxFields} fields`);
    place(this.object, partsOf(name), text, this.#schema, untyped);
  }

  toBytes(): Uint8Array {
    return Buffer.from(JSON.stringify(this.object));
  }
}

const maxFields = 1000;
const maxParts = 32;

/** Adds every `name=value` of an urlencoded text. Throws 400 for a malformed percent-encoding. */
export function addUrlencoded(fields: Fields, text: string, untyped: "json" | "text"): void {
  for (let from = 0; from <= text.length; ) {
    const ampersand = text.indexOf("&", from);
    const to = ampersand < 0 ? text.length : ampersand;
    if (to > from) {
      const equals = text.indexOf("=", from);
      const nameEnd = equals < 0 || equals > to ? to : equals;
      fields.add(decode(text.slice(from, nameEnd)), decode(text.slice(nameEnd + 1, to)), untyped);
    }
    from = to + 1;
  }
}

function decode(text: string): string {
  const spaced = text.includes("+") ? text.replaceAll("+", " ") : text;
  if (!spaced.includes("%")) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch {
    throw refused(`${JSON.stringify(text.slice(0, 40))} has a malformed percent-encoding`);
  }
}

const nestedName = /^([^.[\]]+)((?:\[[^[\]]*\]|\.[^.[\]]+)+)$/;

/** `a[b].c[]` → a, b, c, "". A name that isn't made this way is one part. */
function partsOf(name: string): string[] {
  if (!name.includes("[") && !name.includes(".")) return [name];
  const match = nestedName.exec(name);
  if (match === null) return [name];
  const [, first = "", rest = ""] = match;
  const parts = [
    first,
    ...Array.from(rest.matchAll(/\[([^[\]]*)\]|\.([^.[\]]+)/g), ([, bracket, dotted]) => bracket ?? dotted ?? ""),
  ];
  if (parts.length > maxParts) throw refused(`a name of more than ${maxParts} parts`);
  return parts;
}

type Container = JsonObject | Json[];

function place(
  root: Container,
  parts: readonly string[],
  text: string,
  schema: Value | undefined,
  untyped: "json" | "text",
): void {
  let container = root;
  let type = schema;
  for (const [at, part] of parts.entries()) {
    const field = fieldOf(type, part);
    const key = Array.isArray(container) ? indexOf(container, part) : part;
    if (at === parts.length - 1) {
      write(container, key, leafOf(read(container, key), text, field, untyped));
      return;
    }
    let next = read(container, key);
    if (!isContainer(next)) {
      next = parts[at + 1] === "" || isList(field) ? [] : {};
      write(container, key, next as Container);
    }
    container = next as Container;
    type = field;
  }
}

function isContainer(value: Json | undefined): value is Container {
  return typeof value === "object" && value !== null && !isExactNumber(value);
}

function indexOf(list: readonly Json[], part: string): string {
  const index = part === "" ? list.length : /^[0-9]{1,4}$/.test(part) ? Number(part) : Number.NaN;
  if (!(index <= list.length)) throw refused(`[${part.slice(0, 20)}] leaves a gap in a list of ${list.length}`);
  return String(index);
}

// Own properties only: no name means anything but itself.
function read(container: Container, key: string): Json | undefined {
  return Object.hasOwn(container, key) ? (container as JsonObject)[key] : undefined;
}

function write(container: Container, key: string, value: Json): void {
  if (key !== "__proto__") (container as JsonObject)[key] = value;
  else Object.defineProperty(container, key, { value, enumerable: true, configurable: true, writable: true });
}

/** The schema of one part: a field of a message, an element of a list, a value of a map. */
function fieldOf(type: Value | undefined, part: string): Value | undefined {
  if (type === undefined) return undefined;
  if (isList(type)) return { ...type, type: type.type.slice(2) };
  const mapped = /^map\[[^\]]*\](.+)$/.exec(type.type)?.[1];
  if (mapped !== undefined) return { ...type, type: mapped };
  return type.values.find(({ name }) => name === part);
}

function isList(type: Value | undefined): boolean {
  return type?.type.startsWith("[]") === true && type.type !== "[]uint8";
}

function leafOf(present: Json | undefined, text: string, field: Value | undefined, untyped: "json" | "text"): Json {
  if (field === undefined) {
    if (untyped === "json") return anyJson(text);
    return typeof present === "string" ? `${present},${text}` : text;
  }
  if (!isList(field)) return typed(text, field.type);
  const given = text.startsWith("[") ? anyJson(text) : undefined;
  if (Array.isArray(given)) return given;
  const element = typed(text, field.type.slice(2));
  return Array.isArray(present) ? [...present, element] : [element];
}

/** JSON where the text is JSON, else the text. */
function anyJson(text: string): Json {
  const number = parseNumber(text);
  if (number !== undefined) return number;
  if (text === "true") return true;
  if (text === "false") return false;
  if (text === "null") return null;
  if (!/^\s*[[{"]/.test(text)) return text;
  let isJson = true;
  try {
    JSON.parse(text);
  } catch {
    isJson = false;
  }
  return isJson ? parseJson(text, `A field (at most ${deepestLevel} levels)`) : text;
}

const booleans: ReadonlyMap<string, boolean> = new Map([
  ["true", true],
  ["1", true],
  ["false", false],
  ["0", false],
]);

/** The text as the type wants it. What doesn't fit stays text: the service's own message names the field and what it expects. */
function typed(text: string, type: string): Json {
  switch (type) {
    case "string":
    case "[]uint8":
      return text;
    case "bool":
      return booleans.get(text) ?? text;
    case "int64":
    case "uint64": {
      // A text keeps all 64 bits, in the JSON of protobuf and in JavaScript.
      const value = parseNumber(text);
      return typeof value === "number" && Number.isSafeInteger(value) ? value : text;
    }
    case "int32":
    case "uint32":
    case "float32":
    case "float64":
      return parseNumber(text) ?? text;
    default:
      return anyJson(text);
  }
}

function refused(reason: string): MicroError {
  return MicroError.badRequest("go.micro.api", `The fields of the request are refused: ${reason}`);
}
