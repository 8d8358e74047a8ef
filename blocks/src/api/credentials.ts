import type { IncomingHttpHeaders } from "node:http";
import type { Cors } from "./cors.ts";

const cookieName = "micro-token";

/**
 * The `authorization` value a request brings: its header, else the cookie `micro-token` as a Bearer token. A browser sends cookies whoever wrote
 * the page, so the cookie counts only for pages of this very origin or of a listed one.
 */
export function authorizationOf(
  headers: IncomingHttpHeaders,
  scheme: "http" | "https",
  cors: Cors,
): string | undefined {
  const { authorization, cookie } = headers;
  if (authorization !== undefined && authorization !== "") return authorization;
  if (cookie === undefined) return undefined;
  const token = cookieValue(cookie);
  return token !== undefined && isOwnPage(headers, scheme, cors) ? `Bearer ${token}` : undefined;
}

/** Undefined also when it is there twice: one of them was planted. */
function cookieValue(cookie: string): string | undefined {
  const found = cookie
    .split(";")
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${cookieName}=`));
  const value = found[0]?.slice(cookieName.length + 1);
  return found.length === 1 && value !== undefined && /^[\w.~+/=-]+$/.test(value) ? value : undefined;
}

function isOwnPage(headers: IncomingHttpHeaders, scheme: "http" | "https", cors: Cors): boolean {
  const { origin, host, referer } = headers;
  const isOwn = (from: string) => from === `${scheme}://${host}` || cors.isListed(from);
  if (origin !== undefined) return isOwn(origin);
  const site = headers["sec-fetch-site"];
  if (site !== undefined) return site === "same-origin" || site === "none";
  if (referer !== undefined) return URL.canParse(referer) && isOwn(new URL(referer).origin);
  return true;
}
