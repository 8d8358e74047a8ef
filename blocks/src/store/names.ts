import { MicroError } from "@microts/core";

/** Largest key, in bytes of UTF-8. */
export const maxKeyBytes = 4 * 1024;
/** Largest name of a database, table or blob namespace, in bytes of UTF-8. */
export const maxNameBytes = 255;

/** Any well-formed text of 1 to 4096 bytes is a key: slashes, dots, control characters and all. Throws 400. */
export function checkKey(key: string, id: string): string {
  return checkText(key, "the key", maxKeyBytes, id);
}

/** Any well-formed text of 1 to 255 bytes names a database, table or namespace. Throws 400. */
export function checkName(name: string, what: string, id: string): string {
  return checkText(name, what, maxNameBytes, id);
}

/** Part of a key to look for, which may be empty. Throws 400. */
export function checkAffix(affix: string, what: string, id: string): string {
  return affix === "" ? affix : checkText(affix, what, maxKeyBytes, id);
}

function checkText(text: string, what: string, maxBytes: number, id: string): string {
  if (text === "") throw MicroError.badRequest(id, `${what} is missing`);
  if (!text.isWellFormed())
    throw MicroError.badRequest(id, `${what} is not valid Unicode: it has half of a surrogate pair`);
  const size = Buffer.byteLength(text);
  if (size > maxBytes) throw MicroError.badRequest(id, `${what} has ${size} bytes; the limit is ${maxBytes}`);
  return text;
}
