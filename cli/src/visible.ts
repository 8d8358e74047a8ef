const esc = String.fromCharCode(27);
/** Line breaks, tabs and colours, which stay; else one control character. */
const control = new RegExp(`(${esc}\\[[\\d;]*m|\\r?\\n|\\t)|\\p{Cc}`, "gu");

/**
 * What others wrote, for a terminal: control characters, which could move the cursor, change what is there or press keys, are written out as `\x1b`.
 * Lines, tabs and colours stay.
 */
export function visible(text: string): string {
  return text.replace(control, (found, kept: string | undefined) => kept ?? writtenOut(found));
}

/** The same, on one line. */
export function visibleLine(text: string): string {
  return text.replace(/\p{Cc}/gu, writtenOut);
}

function writtenOut(character: string): string {
  const short: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };
  return short[character] ?? `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
}
