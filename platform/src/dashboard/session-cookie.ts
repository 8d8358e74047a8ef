import type { IncomingMessage } from "node:http";
import { isSecure } from "./request-guard.ts";
import { defaultAbsoluteMs } from "./sessions.ts";

/** The session id that the browser sent, or undefined. */
export function readSessionCookie(request: IncomingMessage): string | undefined {
  const name = nameFor(request);
  for (const pair of (request.headers.cookie ?? "").split(";")) {
    const at = pair.indexOf("=");
    if (pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim();
  }
  return undefined;
}

/** The `Set-Cookie` value that signs a browser in, for as long as a session can last. */
export function sessionCookie(request: IncomingMessage, id: string): string {
  return `${nameFor(request)}=${id}; ${attributes(request)}; Max-Age=${defaultAbsoluteMs / 1000}`;
}

/** The `Set-Cookie` value that makes a browser forget. */
export function expiredCookie(request: IncomingMessage): string {
  return `${nameFor(request)}=; ${attributes(request)}; Max-Age=0`;
}

/** `__Host-` makes browsers refuse the cookie from a sub-domain or over plain HTTP; it demands Secure, hence TLS only (RFC 6265bis §4.1.3). */
function nameFor(request: IncomingMessage): string {
  return isSecure(request) ? "__Host-micro-session" : "micro-session";
}

function attributes(request: IncomingMessage): string {
  return `Path=/; HttpOnly; SameSite=Strict${isSecure(request) ? "; Secure" : ""}`;
}
