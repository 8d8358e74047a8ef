import { usageError } from "../failure.ts";
import { splitFlag } from "../flags.ts";
import { isObject, parseExact } from "../json.ts";
import type { Value } from "../registry.ts";
import { type Field, fieldsOf, findField } from "./fields.ts";
import { readValue, typeName } from "./value.ts";

/** Builds the request of an endpoint from the flags and the JSON object on its command line. */
export interface RequestOptions {
  /** The command as the user would write it, for errors: `micro helloworld call`. */
  readonly command: string;
  /** Undefined when the registry has no schema: any flag is taken then, as JSON where it is JSON and as text where not. */
  readonly schema: Value | undefined;
  readonly folder: string;
}

/** Flags win over the JSON object. Throws a usage error that names what is wrong. */
export async function buildRequest(args: readonly string[], options: RequestOptions): Promise<Record<string, unknown>> {
  const { flags, json } = readArgs(args, options);
  const request: Record<string, unknown> = { ...json };
  for (const { field, texts, name } of flags.values()) {
    const value = await readValue(field.type, texts, { flag: name, folder: options.folder });
    place(request, field.path, value);
  }
  return request;
}

interface Given {
  readonly field: Field;
  /** As the user wrote it the first time. */
  readonly name: string;
  readonly texts: string[];
}

function readArgs(
  args: readonly string[],
  { command, schema }: RequestOptions,
): { flags: Map<string, Given>; json: Readonly<Record<string, unknown>> } {
  const fields = schema === undefined ? undefined : fieldsOf(schema);
  const flags = new Map<string, Given>();
  let json: Readonly<Record<string, unknown>> = {};
  for (let at = 0; at < args.length; at++) {
    const word = args[at] ?? "";
    const split = splitFlag(word);
    if (split === undefined) {
      json = { ...json, ...readObject(word, command) };
      continue;
    }
    const { name } = split;
    const field =
      fields === undefined ? { path: [name], type: "any", isMessage: false } : findField(fields, name, command);
    const next = takesNext(field.type, args[at + 1]) ? args[at + 1] : undefined;
    if (split.value === undefined && next !== undefined) at++;
    const text =
      split.value ?? next ?? (field.type === "bool" || fields === undefined ? "true" : missing(name, field.type));
    const key = field.path.join("\0");
    const given = flags.get(key) ?? { field, name, texts: [] };
    given.texts.push(field.type === "bool" && text.trim() === "" ? "true" : text);
    flags.set(key, given);
  }
  return { flags, json };
}

/** A bool takes the next word only when it says true or false; other values may begin with a dash if what follows is no flag's name. */
function takesNext(type: string, next: string | undefined): boolean {
  if (next === undefined) return false;
  return type === "bool" ? next === "true" || next === "false" : !/^--[A-Za-z]/.test(next);
}

function missing(name: string, type: string): never {
  throw usageError(`--${name} needs a value (${typeName(type)}): --${name}=…`);
}

function readObject(word: string, command: string): Readonly<Record<string, unknown>> {
  if (!word.trimStart().startsWith("{")) {
    throw usageError(
      `${command} has no use for "${word}": write the endpoint before its flags, values as --field=value, or the request as a JSON object`,
    );
  }
  let parsed: unknown;
  try {
    parsed = parseExact(word);
  } catch (error) {
    throw usageError(`Error creating request: not valid JSON (${(error as Error).message})`);
  }
  return isObject(parsed) ? parsed : {};
}

/** Sets a value inside nested objects, making those on the way. Names come from services, so `__proto__` must be a name like any other. */
function place(request: Record<string, unknown>, [name = "", ...rest]: readonly string[], value: unknown): void {
  if (rest.length === 0) {
    define(request, name, value);
    return;
  }
  const there = Object.hasOwn(request, name) ? request[name] : undefined;
  const below: Record<string, unknown> = isObject(there) ? { ...there } : {};
  place(below, rest, value);
  define(request, name, below);
}

function define(target: Record<string, unknown>, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true });
}
