import { formatPath } from "@microts/blocks/config";
import { MicroError } from "@microts/core";
import { type ExpectedType, expectedAt } from "./schema/expected.ts";
import { type Issue, jsonSchemaOf, type Schema } from "./schema/schema.ts";

const mask = "[secret]";
const maxIssues = 5;

interface Unfit {
  /** Dotted; "" is the whole document. */
  readonly path: string;
  readonly schema: Schema;
  readonly value: unknown;
  /** The value with its secrets as `[secret]`. */
  readonly masked: unknown;
  readonly issues: readonly Issue[];
}

/** Says of each thing that is wrong with a value where it is, what it has to be, and the command that mends it. Shows no value. */
export function explainConfig({ path, schema, value, masked, issues }: Unfit): MicroError {
  const json = jsonSchemaOf(schema, "input");
  const texts = issues.slice(0, maxIssues).map((issue) => {
    const [keys, inside] = placeOf(value, issue.path);
    const name = [path, formatPath(keys)].filter(Boolean).join(".");
    const expected = json && expectedAt(json, keys);
    const isSecret = JSON.stringify(at(masked, keys))?.includes(`"${mask}"`) ?? false;
    const problem = problemOf(at(value, keys), expected, isSecret ? undefined : issue.message + inside);
    return `"${name}" ${problem}. Set it with: ${commandFor(name, expected, isSecret)}`;
  });
  if (issues.length > texts.length) texts.push(`and ${issues.length - texts.length} more`);
  return MicroError.badRequest("config", `this service can't work with its configuration: ${texts.join("; ")}`);
}

/** The keys of the value that can be set on its own (a list is set as a whole), and where inside it the mistake is. */
function placeOf(value: unknown, path: readonly PropertyKey[]): [keys: string[], inside: string] {
  const keys: string[] = [];
  let here = value;
  for (const [depth, part] of path.entries()) {
    if (Array.isArray(here) || typeof part !== "string")
      return [keys, ` (at ${path.slice(depth).map(String).join(".")})`];
    keys.push(part);
    here = at(here, [part]);
  }
  return [keys, ""];
}

function problemOf(value: unknown, expected: ExpectedType | undefined, message: string | undefined): string {
  const kind = kindOf(value);
  if (value === undefined) return expected === undefined ? "isn't set" : `isn't set and has to be ${expected.text}`;
  if (expected !== undefined && !expected.kinds.has(kind)) return `is ${texts[kind]} and has to be ${expected.text}`;
  if (message !== undefined) return `doesn't fit: ${message}`;
  return `is a secret that doesn't fit${expected === undefined ? "" : `: it has to be ${expected.text}`}`;
}

function commandFor(name: string, expected: ExpectedType | undefined, isSecret: boolean): string {
  const path = /^[\w.-]+$/.test(name) ? name : `'${name.replaceAll("'", "'\\''")}'`;
  if (isSecret) return `micro config set --secret ${path}`;
  return `micro config set ${name === "" ? "<path>" : path} ${expected?.placeholder ?? "<value>"}`;
}

const texts = {
  nothing: "nothing",
  null: "null",
  boolean: "true or false",
  number: "a number",
  string: "a text",
  array: "a list",
  object: "an object",
} as const;

function kindOf(value: unknown): keyof typeof texts {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  const type = typeof value;
  return type === "boolean" || type === "number" || type === "string" || type === "object" ? type : "nothing";
}

function at(value: unknown, keys: readonly string[]): unknown {
  let here = value;
  for (const key of keys) {
    if (typeof here !== "object" || here === null || !Object.hasOwn(here, key)) return undefined;
    here = (here as Readonly<Record<string, unknown>>)[key];
  }
  return here;
}
