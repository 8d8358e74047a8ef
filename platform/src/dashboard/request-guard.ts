import type { IncomingMessage } from "node:http";
import { TLSSocket } from "node:tls";
import { MicroError } from "@microts/core";

const origin = "dashboard";
const alwaysAllowed = ["localhost", "127.0.0.1", "[::1]"];

/** Whether the request came to this server over TLS. Forwarding headers aren't believed. */
export function isSecure(request: IncomingMessage): boolean {
  return request.socket instanceof TLSSocket;
}

/** Refuses what a browser must not be able to send here: see each check. `hosts` are names besides localhost, without a port. */
export function guard(request: IncomingMessage, hosts: readonly string[]): void {
  checkTarget(request);
  checkHost(request, hosts);
  if (isApi(request)) checkSite(request);
  if (request.method === "POST") checkContentType(request);
}

function isApi(request: IncomingMessage): boolean {
  return request.url?.startsWith("/api/") === true || request.method === "POST";
}

function checkTarget(request: IncomingMessage): void {
  if (!request.url?.startsWith("/")) throw MicroError.badRequest(origin, "the request's target has to be a path");
  if (request.headers.upgrade?.toLowerCase() === "websocket") {
    throw MicroError.badRequest(origin, "the dashboard has no WebSocket");
  }
}

/** A foreign name that resolves to this machine (DNS rebinding) makes another site's page same-origin with us. */
function checkHost(request: IncomingMessage, hosts: readonly string[]): void {
  const name = (request.headers.host ?? "").toLowerCase().replace(/:\d*$/, "");
  if (alwaysAllowed.includes(name) || hosts.includes(name)) return;
  throw MicroError.forbidden(
    origin,
    "the dashboard isn't served under this host name. Open it as localhost, or add the name to the dashboard's hosts",
  );
}

/** Cross-site and same-site requests from browsers. Programs that aren't browsers send neither header. */
function checkSite(request: IncomingMessage): void {
  const site = request.headers["sec-fetch-site"];
  const typedByHand = request.method === "GET" && site === "none";
  const isForeign = (site !== undefined && site !== "same-origin" && !typedByHand) || hasForeignOrigin(request);
  if (isForeign) throw MicroError.forbidden(origin, "requests from other sites are refused");
}

function hasForeignOrigin(request: IncomingMessage): boolean {
  const { origin: from, host } = request.headers;
  if (from === undefined) return false;
  if (!URL.canParse(from) || !URL.canParse(`http://${host}`)) return true;
  const { protocol, host: fromHost } = new URL(from);
  // The scheme is compared over TLS only: behind a proxy that ends TLS we see http where the browser saw https.
  return fromHost !== new URL(`${protocol}//${host}`).host || (isSecure(request) && protocol !== "https:");
}

/** Forms can send three content types across sites without asking first; JSON isn't among them. */
function checkContentType(request: IncomingMessage): void {
  const [type = ""] = (request.headers["content-type"] ?? "").split(";");
  if (type.trim().toLowerCase() === "application/json") return;
  throw MicroError.badRequest(origin, "the request's content type has to be application/json");
}
