import { MicroError } from "../errors.ts";

export interface Address {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
}

/**
 * Reads `host:port`, `[v6]:port`, `:port` (loopback), `host` (port 443) or an http(s) URL. TLS when the port is 443, when there is none, or
 * for https:// (wire §0.1). Throws 400.
 */
export function parseAddress(text: string): Address {
  const scheme = /^(https?):\/\//.exec(text);
  const rest = text.slice(scheme?.[0].length ?? 0).replace(/\/+$/, "");
  const match = /^(\[[0-9a-fA-F:.]+\]|[\w.-]*)(?::(\d{1,5}))?$/.exec(rest);
  const port = match?.[2] === undefined ? (scheme?.[1] === "http" ? 80 : 443) : Number(match[2]);
  if (match === null || rest === "" || port > 65_535) {
    throw MicroError.badRequest(
      "go.micro.client",
      `"${text}" is not an address: expected host:port, such as 127.0.0.1:8081`,
    );
  }
  const host = (match[1] ?? "").replace(/^\[|\]$/g, "") || "127.0.0.1";
  return { host, port, tls: scheme?.[1] === "https" || (scheme === null && port === 443) };
}

/** The path of `unix:path` or `unix:///absolute/path` (gRPC naming.md); undefined for other addresses. */
export function unixPathOf(text: string): string | undefined {
  return /^unix:(?:\/\/(?=\/))?(.+)$/s.exec(text)?.[1];
}

/** `host:port`, with brackets around an IPv6 host. */
export function formatAddress(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
