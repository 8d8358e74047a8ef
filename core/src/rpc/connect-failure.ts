import type { Target } from "./target.ts";

/** What a failed attempt to connect tells the caller: what was tried, and what mends it. */
export function connectFailure({ address, where, isTls }: Target, error: Error | undefined): string {
  const { code = "", message = "" } = (error ?? {}) as NodeJS.ErrnoException;
  const host = "host" in where ? where.host : address;
  if (code === "ECONNREFUSED" || (code === "ENOENT" && "path" in where))
    return `nothing listens on ${address} (connection refused)`;
  if (code === "ENOTFOUND" || code === "EAI_AGAIN")
    return `can't connect to ${address}: the name ${host} has no address (${code}). Check its spelling and the DNS`;
  if (code === "EACCES" && "path" in where)
    return `can't connect to ${address}: this user may not open the socket. Run as the server's user, or give it a wider socketMode`;
  const reason = isTls ? tlsFailure(host, code, message) : clearFailure(code);
  return `can't connect to ${address}: ${reason ?? (message || code)}`;
}

function clearFailure(code: string): string | undefined {
  if (code !== "" && code !== "ECONNRESET") return undefined;
  return "the server closed the connection before it said anything. If it speaks TLS, write the address as https://host:port";
}

const untrusted = new Set([
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
]);

function tlsFailure(host: string, code: string, message: string): string | undefined {
  if (untrusted.has(code))
    return (
      `its certificate is not signed by an authority that this client trusts (${code}). ` +
      "Give the authority's certificate as tls.ca, or in the file that NODE_EXTRA_CA_CERTS names"
    );
  if (code === "CERT_HAS_EXPIRED") return "its certificate has expired. Renew it on the server";
  if (code === "CERT_NOT_YET_VALID") return "its certificate is not valid yet. Compare the clocks of both machines";
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID")
    return `its certificate is not for ${host} (${message}). Use a name that it holds, or set tls.servername to one`;
  if (/ALERT_NO_APPLICATION_PROTOCOL/.test(code)) return noHttp2("it offers none of them");
  if (/WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|RECORD_LAYER_FAILURE/.test(code))
    return "it doesn't speak TLS. For a server in clear text write the address as http://host:port";
  if (/ALERT_.*(CERTIFICATE|UNKNOWN_CA)/.test(code))
    return `it doesn't accept this client's certificate (${code}). ${wantedCertificate}`;
  if (code === "" || code === "ECONNRESET")
    return `the server closed the connection before it said anything. If it asks for client certificates: ${wantedCertificate}`;
  return undefined;
}

const wantedCertificate = "Give one that it trusts as tls.cert and tls.key";

/** Why TLS alone doesn't do: without ALPN's `h2` (RFC 9113 §3.2) nothing says that what follows is HTTP/2. */
export function noHttp2(found: string): string {
  return `the server has no HTTP/2 over TLS (ALPN h2): ${found}. Let it, or the proxy before it, offer h2`;
}
