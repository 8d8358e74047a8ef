import { MicroError } from "@microts/core";
import { isKey, sizeOfKey } from "./keys.ts";

/** Largest key, in bytes. */
export const maxKeyBytes = 4 * 1024;
/** Largest name of a database, table or blob namespace, in bytes of UTF-8. */
export const maxNameBytes = 255;

/** Any 1 to 4096 bytes are a key: slashes, dots, control characters and all (`keyOfBytes`). Throws 400. */
export function checkKey(key: string, id: string): string {
  if (key === "") throw MicroError.badRequest(id, "the key is missing");
  // A caller without types, or with an id that turned out to be undefined.
  if (typeof key !== "string") throw MicroError.badRequest(id, `the key has to be a text and is ${typeof key}`);
  return checkAffix(key, "the key", id);
}

/** Any well-formed text of 1 to 4096 bytes is the key of a blob, or begins one. Throws 400. */
export function checkBlobKey(key: string, what: string, id: string): string {
  return checkText(key, what, maxKeyBytes, id);
}

/** Any well-formed text of 1 to 255 bytes names a database, table or namespace. Throws 400. */
export function checkName(name: string, what: string, id: string): string {
  return checkText(name, what, maxNameBytes, id);
}

/** Part of a key to look for, which may be empty. Throws 400. */
export function checkAffix(affix: string, what: string, id: string): string {
  if (!isKey(affix)) throw MicroError.badRequest(id, `${what} is not valid Unicode: it has half of a surrogate pair`);
  return checkSize(affix, sizeOfKey(affix), what, maxKeyBytes, id);
}

function checkText(text: string, what: string, maxBytes: number, id: string): string {
  if (text === "") throw MicroError.badRequest(id, `${what} is missing`);
  if (typeof text !== "string") throw MicroError.badRequest(id, `${what} has to be a text and is ${typeof text}`);
  if (!text.isWellFormed())
    throw MicroError.badRequest(id, `${what} is not valid Unicode: it has half of a surrogate pair`);
  return checkSize(text, Buffer.byteLength(text), what, maxBytes, id);
}

function checkSize(text: string, size: number, what: string, maxBytes: number, id: string): string {
  if (size > maxBytes) throw MicroError.badRequest(id, `${what} has ${size} bytes; the limit is ${maxBytes}`);
  return text;
}
