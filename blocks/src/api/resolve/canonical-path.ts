import { MicroError } from "@microts/core";

/** Nothing to decode and nothing to refuse, as nearly every path. */
const plainPath = /^(?:\/[A-Za-z0-9_-][A-Za-z0-9_.-]*)+\/?$/;
/** Characters that some hop might read as structure, once decoded: `%` because a path is decoded once and only once. */
const structural = /[/\\;%?#\p{Cc}]/u;

/**
 * The segments of a request path, decoded once; one trailing slash is ignored. Router and rules see these and nothing else. Throws 400 for
 * every second way of writing a path: empty, `.` and `..` segments, encoded slashes, parameters, control characters, double encoding.
 */
export function canonicalSegments(path: string): string[] {
  if (!path.startsWith("/")) throw refused(path, "it has to begin with /");
  const inner = path.slice(1, path.endsWith("/") ? -1 : undefined);
  if (plainPath.test(path)) return inner.split("/");
  return inner.split("/").map((segment) => decoded(segment, path));
}

function decoded(segment: string, path: string): string {
  if (segment === "") throw refused(path, "it has an empty segment");
  const text = decode(segment, path);
  if (text === "." || text === "..") throw refused(path, `"${text}" is not resolved here`);
  const found = structural.exec(text)?.[0];
  if (found !== undefined) throw refused(path, `a segment can't contain ${JSON.stringify(found)}`);
  return text;
}

function decode(segment: string, path: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw refused(path, "it has a malformed percent-encoding");
  }
}

function refused(path: string, reason: string): MicroError {
  const shown = JSON.stringify(path.slice(0, 100));
  return MicroError.badRequest("go.micro.api", `The path ${shown} is refused: ${reason}. Use /service/method`);
}
