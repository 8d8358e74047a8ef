import type { IncomingMessage } from "node:http";
import { BlockList as AddressList, isIP } from "node:net";
import { MicroError } from "@microts/core";

/** Who is at the other end of a connection, and of the proxies in front of it that are trusted. */
export class Peers {
  readonly #trusted: AddressList | undefined;

  /** Throws 400 for anything that is neither an address nor a subnet. */
  constructor(trustedProxies: readonly string[] = []) {
    if (trustedProxies.length === 0) return;
    this.#trusted = new AddressList();
    for (const text of trustedProxies) trust(this.#trusted, text);
  }

  isTrusted(address: string): boolean {
    return this.#trusted?.check(plain(address), isIP(plain(address)) === 6 ? "ipv6" : "ipv4") ?? false;
  }

  /** The client's address: the peer's, or what trusted proxies say, read from the nearest outwards up to the first that isn't trusted. */
  clientAddress(request: IncomingMessage): string {
    const peer = plain(request.socket.remoteAddress ?? "");
    const forwarded = request.headers["x-forwarded-for"];
    if (forwarded === undefined || !this.isTrusted(peer)) return peer;
    const hops = String(forwarded)
      .split(",")
      .map((hop) => plain(hop.trim()));
    let client = peer;
    for (const hop of hops.toReversed()) {
      if (isIP(hop) === 0) break;
      client = hop;
      if (!this.isTrusted(hop)) break;
    }
    return client;
  }

  /** How the client speaks to us or to the trusted proxy. */
  scheme(request: IncomingMessage): "http" | "https" {
    if ("encrypted" in request.socket) return "https";
    const isTrusted = this.#trusted !== undefined && this.isTrusted(request.socket.remoteAddress ?? "");
    return isTrusted && request.headers["x-forwarded-proto"] === "https" ? "https" : "http";
  }
}

function trust(list: AddressList, text: string): void {
  const [address = "", prefix] = text.split("/");
  const version = isIP(address);
  const bits = prefix === undefined ? undefined : Number(prefix);
  if (
    version === 0 ||
    (bits !== undefined && !(Number.isInteger(bits) && bits >= 0 && bits <= (version === 6 ? 128 : 32)))
  ) {
    throw MicroError.badRequest(
      "go.micro.api",
      `${JSON.stringify(text)} is not the address of a proxy: expected 10.0.0.1 or 10.0.0.0/8`,
    );
  }
  const family = version === 6 ? "ipv6" : "ipv4";
  if (bits === undefined) list.addAddress(address, family);
  else list.addSubnet(address, bits, family);
}

/** An IPv4 address as such, not mapped into IPv6. */
function plain(address: string): string {
  return address.startsWith("::ffff:") && isIP(address.slice(7)) === 4 ? address.slice(7) : address;
}
