import { isUtf8 } from "node:buffer";

/**
 * Keys are strings of bytes. One that is UTF-8 is held as the text that it is; in any other, each byte that belongs to no character stands as
 * U+DC00 and the byte, which no text has in it. So every string of bytes has exactly one form, and text is itself.
 */
export function keyOfBytes(bytes: Uint8Array): string {
  if (isUtf8(bytes)) return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
  let key = "";
  for (let at = 0; at < bytes.length; ) {
    const length = characterLength(bytes, at);
    if (length === 0) key += String.fromCharCode(0xdc00 + (bytes[at] ?? 0));
    else key += Buffer.from(bytes.subarray(at, at + length)).toString();
    at += length || 1;
  }
  return key;
}

/** The bytes of a key in the form above. */
export function bytesOfKey(key: string): Uint8Array {
  if (key.isWellFormed()) return Buffer.from(key);
  const parts = key.split(/([\udc80-\udcff]+)/u);
  return Buffer.concat(parts.map((part, index) => (index % 2 === 0 ? Buffer.from(part) : bytesOfEscapes(part))));
}

/** How many bytes a key has. */
export function sizeOfKey(key: string): number {
  return key.isWellFormed() ? Buffer.byteLength(key) : bytesOfKey(key).byteLength;
}

/** Whether a text is the form of some string of bytes. */
export function isKey(text: string): boolean {
  return text.isWellFormed() || keyOfBytes(bytesOfKey(text)) === text;
}

function bytesOfEscapes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0) - 0xdc00);
}

/** How many bytes the UTF-8 character at a place has; 0 when there is none. */
function characterLength(bytes: Uint8Array, at: number): number {
  for (let length = 1; length <= 4 && at + length <= bytes.length; length++)
    if (isUtf8(bytes.subarray(at, at + length))) return length;
  return 0;
}
