import { usageError } from "./failure.ts";

/** The bytes of a JSON request given in words, which are joined with spaces; `{}` when there are none. They are sent as the user wrote them. */
export function jsonRequest(words: readonly string[]): Uint8Array {
  const text = words.length === 0 ? "{}" : words.join(" ");
  try {
    JSON.parse(text);
  } catch (error) {
    throw usageError(`Error creating request: not valid JSON (${(error as Error).message}): ${shorten(text)}`);
  }
  return Buffer.from(text);
}

function shorten(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
