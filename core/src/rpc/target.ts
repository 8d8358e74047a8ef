import { type Address, parseAddress, unixPathOf } from "./address.ts";

/** Where a client connects to, and what it says about it. */
export interface Target {
  /** As it was given. */
  readonly address: string;
  readonly where: Address | { readonly path: string };
  readonly isTls: boolean;
  /** The `:authority` of requests (RFC 9113 §8.3.1). */
  readonly authority: string;
}

/** Throws 400 for a malformed address. */
export function targetOf(address: string): Target {
  const path = unixPathOf(address);
  // A socket file has no name to call it by (gRPC naming.md).
  if (path !== undefined) return { address, where: { path }, isTls: false, authority: "localhost" };
  const where = parseAddress(address);
  const authority = address
    .replace(/^https?:\/\//, "")
    .replace(/\/+$/, "")
    .replace(/^:/, "localhost:");
  return { address, where, isTls: where.tls, authority };
}
