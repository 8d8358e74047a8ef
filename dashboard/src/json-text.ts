/** A JSON value. Numbers that JavaScript can't hold exactly are opaque and keep their digits when written again. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** ECMAScript's JSON.parse source text access, not yet in TypeScript's library nor in every browser. */
const { rawJSON } = JSON as unknown as { rawJSON?: (text: string) => Json };

/** Throws SyntaxError. */
export function parseJson(text: string): Json {
  return JSON.parse(text, keepDigits) as Json;
}

/** Indented by two spaces; what isn't JSON comes back as it is. */
export function prettyJson(text: string): string {
  try {
    return JSON.stringify(parseJson(text), undefined, 2);
  } catch {
    return text;
  }
}

export function isObject(json: Json | undefined): json is { readonly [key: string]: Json } {
  // An opaque number is an object without a prototype.
  return typeof json === "object" && json !== null && !Array.isArray(json) && Object.getPrototypeOf(json) !== null;
}

export interface JsonToken {
  readonly kind: "key" | "string" | "number" | "word" | "plain";
  readonly text: string;
}

/** Splits pretty JSON for colouring. The texts together are the input. */
export function jsonTokens(pretty: string): JsonToken[] {
  const pattern = /("(?:[^"\\]|\\.)*")(?=\s*:)|("(?:[^"\\]|\\.)*")|(-?\d[\d.eE+-]*)|(true|false|null)/g;
  const tokens: JsonToken[] = [];
  let end = 0;
  for (const match of pretty.matchAll(pattern)) {
    if (match.index > end) tokens.push({ kind: "plain", text: pretty.slice(end, match.index) });
    const kind = match[1] ? "key" : match[2] ? "string" : match[3] ? "number" : "word";
    tokens.push({ kind, text: match[0] });
    end = match.index + match[0].length;
  }
  if (end < pretty.length) tokens.push({ kind: "plain", text: pretty.slice(end) });
  return tokens;
}

function keepDigits(this: unknown, _key: string, value: unknown, context?: { readonly source?: string }): unknown {
  const source = context?.source;
  if (typeof value !== "number" || source === undefined || rawJSON === undefined) return value;
  return String(value) === source || Number.isSafeInteger(value) ? value : rawJSON(source);
}
