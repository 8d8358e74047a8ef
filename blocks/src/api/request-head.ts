import { MicroError } from "@microts/core";
import { type Exchange, hasBody } from "./exchange.ts";
import { maxHeaders, maxUrlLength } from "./options.ts";

const id = "go.micro.api";

/** Throws for what the parser lets through and nobody needs. Such a request ends its connection: what follows may be part of it. */
export function checkHead(exchange: Exchange): void {
  const error = faultOf(exchange);
  if (error === undefined) return;
  exchange.mustClose = true;
  throw error;
}

function faultOf({ request, path }: Exchange): MicroError | undefined {
  const { url = "", rawHeaders, headers, httpVersion, method } = request;
  if (httpVersion !== "1.1" && httpVersion !== "1.0") return MicroError.badRequest(id, "Only HTTP/1.1 is spoken here");
  if (url.length > maxUrlLength) {
    return new MicroError(414, id, `The URL is longer than ${maxUrlLength} bytes. Send fields in the body of a POST`);
  }
  if (rawHeaders.length > 2 * maxHeaders) {
    return new MicroError(431, id, `The request has more than ${maxHeaders} headers. Send fewer`);
  }
  if (httpVersion === "1.1" && headers.host === undefined)
    return MicroError.badRequest(id, "The Host header is missing");
  if ((method === "GET" || method === "HEAD") && hasBody(request)) {
    return MicroError.badRequest(id, `${method} ${path.slice(0, 100)} came with a body. Send it with POST`);
  }
  return rawHeaders.length === 2 * countOf(headers) ? undefined : repeated(rawHeaders);
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
function repeated(rawHeaders: readonly string[]): MicroError | undefined {
  const seen = new Set<string>();
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]?.toLowerCase() ?? "";
    if (seen.has(name) && single.has(name)) return MicroError.badRequest(id, `The header ${name} is there twice`);
    seen.add(name);
  }
  return undefined;
}

/** The path of the request; of an absolute URL only when it names the same host as the Host header. */
export function pathOf(exchange: Exchange): string {
  const { path, request } = exchange;
  if (path.startsWith("/")) return path;
  const match = /^https?:\/\/([^/?#]*)(.*)$/i.exec(path);
  if (match !== null && match[1]?.toLowerCase() === request.headers.host?.toLowerCase()) return match[2] || "/";
  exchange.mustClose = true;
  throw MicroError.badRequest(id, `${JSON.stringify(path.slice(0, 100))} is not a path of this gateway`);
}
