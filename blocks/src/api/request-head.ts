import { MicroError } from "@microts/core";
import { type Exchange, hasBody } from "./exchange.ts";
import { maxHeaders, maxUrlLength } from "./options.ts";

const id = "go.micro.api";

/** Throws for what the parser lets through and nobody needs. */
export function checkHead({ request, path }: Exchange): void {
  const { url = "", rawHeaders, headers, httpVersion, method } = request;
  if (url.length > maxUrlLength) {
    throw new MicroError(414, id, `The URL is longer than ${maxUrlLength} bytes. Send fields in the body of a POST`);
  }
  if (rawHeaders.length > 2 * maxHeaders) {
    throw new MicroError(431, id, `The request has more than ${maxHeaders} headers. Send fewer`);
  }
  if (httpVersion === "1.1" && headers.host === undefined)
    throw MicroError.badRequest(id, "The Host header is missing");
  if (rawHeaders.length !== 2 * countOf(headers)) checkRepeats(rawHeaders);
  if ((method === "GET" || method === "HEAD") && hasBody(request)) {
    throw MicroError.badRequest(id, `${method} ${path.slice(0, 100)} came with a body. Send it with POST`);
  }
}

function countOf(headers: object): number {
  let count = 0;
  for (const _name in headers) count++;
  return count;
}

const single = new Set([
  "authorization",
  "content-encoding",
  "content-length",
  "content-type",
  "expect",
  "host",
  "micro-namespace",
  "origin",
  "referer",
  "sec-fetch-site",
  "transfer-encoding",
]);

/** Of two values, two hops may each believe another one. */
function checkRepeats(rawHeaders: readonly string[]): void {
  const seen = new Set<string>();
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]?.toLowerCase() ?? "";
    if (seen.has(name) && single.has(name)) throw MicroError.badRequest(id, `The header ${name} is there twice`);
    seen.add(name);
  }
}

/** The path of the request; of an absolute URL only when it names the same host as the Host header. */
export function pathOf({ path, request }: Exchange): string {
  if (path.startsWith("/")) return path;
  const match = /^https?:\/\/([^/?#]*)(.*)$/i.exec(path);
  if (match !== null && match[1]?.toLowerCase() === request.headers.host?.toLowerCase()) return match[2] || "/";
  throw MicroError.badRequest(id, `${JSON.stringify(path.slice(0, 100))} is not a path of this gateway`);
}
