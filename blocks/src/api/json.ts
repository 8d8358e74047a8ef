import { MicroError } from "@microts/core";

/** More levels than this are refused wherever the gateway parses. */
export const deepestLevel = 100;

/** A number too long for a double, kept digit by digit: `JSON.rawJSON` of ECMAScript. */
export interface ExactNumber {
  readonly rawJSON: string;
}

export type Json = string | number | boolean | null | ExactNumber | Json[] | { [name: string]: Json };
export type JsonObject = { [name: string]: Json };

const longNumber = /[0-9.]{16}|[eE][+-]?[0-9]{3}/;
const jsonNumber = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/;

/** Parses JSON; numbers keep every digit. `what` names it in the 400 for bad JSON, which says where it is bad, and for too many levels. */
export function parseJson(text: string, what: string): Json {
  let value: Json;
  try {
    value = longNumber.test(text) ? JSON.parse(text, keepDigits) : JSON.parse(text);
  } catch {
    throw MicroError.badRequest("go.micro.api", `${what} is not JSON: ${jsonProblem(text) ?? "it is nested too deep"}`);
  }
  if (isTooDeep(text)) {
    throw MicroError.badRequest(
      "go.micro.api",
      `${what} is nested deeper than ${deepestLevel} levels. Send flatter JSON`,
    );
  }
  return value;
}

function keepDigits(_key: string, value: Json, context?: { source?: string }): Json {
  return typeof value === "number" && context?.source !== undefined ? numberOf(context.source, value) : value;
}

/** The number that `text` is in JSON, with every digit; undefined when it isn't one or no double comes near it. */
export function parseNumber(text: string): number | ExactNumber | undefined {
  const value = jsonNumber.test(text) ? Number(text) : Number.NaN;
  return Number.isFinite(value) ? numberOf(text, value) : undefined;
}

/** Whether a value is an `ExactNumber`, which is an object only to JavaScript. */
export function isExactNumber(value: unknown): value is ExactNumber {
  return (JSON as JSON & { isRawJSON(value: unknown): boolean }).isRawJSON(value);
}

function numberOf(source: string, value: number): number | ExactNumber {
  return String(value) === source ? value : (JSON.rawJSON(source) as ExactNumber);
}

/** Whether brackets outside of strings go deeper than `deepestLevel`. */
export function isTooDeep(text: string): boolean {
  // As many levels take as many opening and closing brackets.
  if (text.length <= 2 * deepestLevel) return false;
  const brackets = /"(?:[^"\\]|\\.)*"|[[{]|[\]}]/gs;
  let depth = 0;
  for (let found = brackets.exec(text); found !== null; found = brackets.exec(text)) {
    const [token] = found;
    if (token === "[" || token === "{") depth++;
    else if (token === "]" || token === "}") depth--;
    if (depth > deepestLevel) return true;
  }
  return false;
}

const token =
  /"(?:[^"\\\p{Cc}]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null|[[\]{},:]/uy;

/**
 * What is wrong with a text that JSON.parse refuses, as `at position 12 (line 1, column 13): expected …`; undefined when nothing is. The text
 * itself is not quoted: it may be a secret.
 */
export function jsonProblem(text: string): string | undefined {
  const open: ("[" | "{")[] = [];
  let expected: Expected = "value";
  let position = 0;
  for (;;) {
    position = skipSpace(text, position);
    if (position >= text.length)
      return expected === "end" ? undefined : describe(text, position, expected, "but it ends there");
    token.lastIndex = position;
    const found = token.exec(text)?.[0];
    const next: Expected | undefined = found === undefined ? undefined : step(expected, found, open);
    if (found === undefined || next === undefined) return describe(text, position, expected);
    expected = next;
    position += found.length;
  }
}

type Expected = "value" | "value or ]" | "name or }" | "name" | "colon" | "comma or ]" | "comma or }" | "end";

/** What may follow `found` where `expected` was due; undefined when `found` may not stand there. Keeps count of open brackets. */
function step(expected: Expected, found: string, open: ("[" | "{")[]): Expected | undefined {
  const after = (): Expected => (open.length === 0 ? "end" : open.at(-1) === "[" ? "comma or ]" : "comma or }");
  if (found === "]" || found === "}") {
    if (expected !== `value or ${found}` && expected !== `name or ${found}` && expected !== `comma or ${found}`)
      return undefined;
    open.pop();
    return after();
  }
  switch (expected) {
    case "value":
    case "value or ]":
      if (found === "[" || found === "{") {
        open.push(found);
        return found === "[" ? "value or ]" : "name or }";
      }
      return found === "," || found === ":" ? undefined : after();
    case "name or }":
    case "name":
      return found.startsWith('"') ? "colon" : undefined;
    case "colon":
      return found === ":" ? "value" : undefined;
    case "comma or ]":
      return found === "," ? "value" : undefined;
    case "comma or }":
      return found === "," ? "name" : undefined;
    case "end":
      return undefined;
  }
}

function skipSpace(text: string, from: number): number {
  let at = from;
  for (
    let code = text.charCodeAt(at);
    code === 32 || code === 9 || code === 10 || code === 13;
    code = text.charCodeAt(at)
  )
    at++;
  return at;
}

function describe(text: string, position: number, expected: Expected, tail = ""): string {
  const before = text.slice(0, position);
  const line = before.split("\n").length;
  const column = position - before.lastIndexOf("\n");
  return `at position ${position} (line ${line}, column ${column}): expected ${expected === "end" ? "nothing more" : expected}${tail && ` ${tail}`}`;
}
