import { MicroError } from "@microts/core";

const maxSegmentBytes = 1024;

/**
 * The keys of a dotted path: `a.b` is key `b` of key `a`; a dot or backslash inside a key is written with a backslash before it. An empty
 * path is the whole document. Throws 400 for an empty key or one of more than 1,024 bytes.
 */
export function parsePath(path: string, at: string): string[] {
  if (path === "") return [];
  const keys = splitKeys(path);
  for (const key of keys) {
    if (key === "")
      throw MicroError.badRequest(
        at,
        `the path "${path.slice(0, 200)}" has an empty key: write it like database.password`,
      );
    if (Buffer.byteLength(key) > maxSegmentBytes) {
      throw MicroError.badRequest(at, `a key in the path is longer than ${maxSegmentBytes} bytes`);
    }
  }
  return keys;
}

/** The dotted path that `parsePath` reads as these keys. */
export function formatPath(keys: readonly string[]): string {
  return keys.map((key) => key.replace(/[.\\]/g, "\\$&")).join(".");
}

function splitKeys(path: string): string[] {
  const keys: string[] = [];
  let key = "";
  for (let at = 0; at < path.length; at++) {
    const char = path[at];
    if (char === ".") {
      keys.push(key);
      key = "";
    } else if (char === "\\" && at + 1 < path.length) {
      at++;
      key += path[at];
    } else {
      key += char;
    }
  }
  return [...keys, key];
}
