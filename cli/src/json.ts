declare global {
  interface JSON {
    /** A number that is written as `text`, digit by digit (ECMAScript proposal-json-parse-with-source). */
    rawJSON(text: string): unknown;
  }
}

/** JSON parsed so that numbers too long for a double are kept digit by digit when written again. Throws a SyntaxError. */
export function parseExact(text: string): unknown {
  const keep = (_key: string, value: unknown, context?: { source?: string }): unknown => {
    const source = context?.source;
    return typeof value === "number" && source !== undefined && String(value) !== source ? JSON.rawJSON(source) : value;
  };
  return JSON.parse(text, keep);
}

/** JSON bytes set out with tabs; what isn't JSON is undefined. */
export function indentJson(bytes: Uint8Array): string | undefined {
  try {
    return JSON.stringify(parseExact(bytes.length === 0 ? "{}" : Buffer.from(bytes).toString()), undefined, "\t");
  } catch {
    return undefined;
  }
}

/** JSON bytes on one line; what isn't JSON is undefined. */
export function compactJson(bytes: Uint8Array): string | undefined {
  try {
    return JSON.stringify(parseExact(bytes.length === 0 ? "{}" : Buffer.from(bytes).toString()));
  } catch {
    return undefined;
  }
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
