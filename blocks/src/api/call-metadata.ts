import type { IncomingHttpHeaders } from "node:http";
import { authorizationKey, isMetadataKey, type Metadata, namespaceKey } from "@microts/core";

/** What only the platform, or a proxy that it trusts, may say about a caller; and what belongs to one hop. */
const withheld = new Set([
  "account",
  "authorization",
  "content-encoding",
  "content-md5",
  "cookie",
  "expect",
  "forwarded",
  "from-service",
  "local",
  "max-forwards",
  "proxy-authenticate",
  "proxy-authorization",
  "range",
  "remote",
  "remote-user",
  "set-cookie",
  "true-client-ip",
  "via",
  "x-account-id",
  "x-client-ip",
  "x-cluster-client-ip",
  "x-original-url",
  "x-real-ip",
  "x-remote-user",
  "x-rewrite-url",
  "x-user",
  "x-user-id",
]);
const withheldPrefix = /^(?:micro-|x-micro-|x-forwarded|x-original-|grpc-|sec-|access-control-)/;
const forwardedPrefix = /^x-forwarded-(?:for|host|proto|port)$/;
const printable = /^[\x20-\x7e]*$/;

const verdicts = new Map<string, boolean>();
const maxVerdicts = 1000;

/** Whether a client's header of this name becomes metadata. Spellings with `_` are judged like those with `-`. */
export function mayTravel(name: string): boolean {
  let verdict = verdicts.get(name);
  if (verdict === undefined) {
    const spelled = name.replaceAll("_", "-");
    verdict =
      name !== "__proto__" &&
      isMetadataKey(name) &&
      isMetadataKey(spelled) &&
      !withheld.has(spelled) &&
      !withheldPrefix.test(spelled) &&
      !name.endsWith("-bin");
    if (verdicts.size < maxVerdicts) verdicts.set(name, verdict);
  }
  return verdict;
}

export interface Sender {
  readonly namespace: string;
  readonly authorization: string | undefined;
  /** The client's address. */
  readonly address: string;
  /** The peer is a proxy whose `X-Forwarded-*` is believed. */
  readonly isTrusted: boolean;
}

/** The metadata of a call: the client's headers that may travel, and what the platform itself says. */
export function metadataOf(
  headers: IncomingHttpHeaders,
  { namespace, authorization, address, isTrusted }: Sender,
): Metadata {
  const metadata: Record<string, string> = {};
  const named = headers.connection === undefined ? undefined : hopByHop(headers.connection);
  for (const name in headers) {
    const value = headers[name];
    if (typeof value !== "string" || !printable.test(value) || named?.includes(name)) continue;
    if (mayTravel(name) || (isTrusted && forwardedPrefix.test(name))) metadata[name] = value;
  }
  metadata["x-forwarded-for"] = address;
  metadata[namespaceKey] = namespace;
  if (authorization !== undefined) metadata[authorizationKey] = authorization;
  return metadata;
}

/** Names that `Connection` makes hop-by-hop (RFC 9110 §7.6.1). */
function hopByHop(connection: string): readonly string[] | undefined {
  if (connection === "keep-alive" || connection === "close") return undefined;
  return connection
    .toLowerCase()
    .split(",")
    .map((name) => name.trim());
}
