import type { KeyObject } from "node:crypto";
import type { Account } from "./account.ts";
import { MicroError } from "./errors.ts";
import { accountOf, verifyToken } from "./jwt.ts";

interface Entry {
  readonly account: Account;
  readonly expiresAt: number;
}

/**
 * Turns an `authorization` value into the account it proves. Verified tokens are cached by their text, bounded to `capacity` (oldest out
 * first), and their expiry is checked on every hit.
 */
export class TokenVerifier {
  readonly #key: KeyObject;
  readonly #capacity: number;
  readonly #cache = new Map<string, Entry>();
  readonly #headers = new Map<string, Entry>();

  constructor(key: KeyObject, capacity = 10_000) {
    this.#key = key;
    this.#capacity = capacity;
  }

  /** The account of `Bearer <token>` or of `Basic base64(any:token)`; undefined without a header; 401 for anything that doesn't verify. */
  verify(authorization: string | undefined): Account | undefined {
    if (authorization === undefined || authorization === "") return undefined;
    // Callers send the same header again and again, and cutting the token out of it costs more than to find it.
    const hit = this.#headers.get(authorization);
    if (hit !== undefined && hit.expiresAt > Date.now()) return hit.account;
    this.#headers.delete(authorization);
    const token = tokenOf(authorization);
    const account = this.inspect(token);
    const entry = this.#cache.get(token);
    // A header may be padded at will; only the plain form is worth its memory.
    if (entry !== undefined && authorization.length === "Bearer ".length + token.length)
      keep(this.#headers, authorization, entry, this.#capacity);
    return account;
  }

  /** How many verified tokens are remembered. */
  get size(): number {
    return this.#cache.size;
  }

  /** The account of a bare token. Throws 401 when it doesn't verify. */
  inspect(token: string): Account {
    const hit = this.#cache.get(token);
    if (hit !== undefined && hit.expiresAt > Date.now()) return hit.account;
    this.#cache.delete(token);
    const claims = verifyToken(token, this.#key);
    const account = accountOf(claims);
    keep(this.#cache, token, { account, expiresAt: claims.exp * 1000 }, this.#capacity);
    return account;
  }
}

function keep(cache: Map<string, Entry>, key: string, entry: Entry, capacity: number): void {
  if (cache.size >= capacity) {
    const oldest = cache.keys().next();
    if (!oldest.done) cache.delete(oldest.value);
  }
  cache.set(key, entry);
}

/** The token in an `authorization` value: `Bearer <token>` or `Basic base64(any:token)`. Throws 401 for anything else. */
export function tokenOf(authorization: string): string {
  const space = authorization.indexOf(" ");
  const scheme = authorization.slice(0, space).toLowerCase();
  const value = authorization.slice(space + 1).trim();
  if (scheme === "bearer" && value !== "") return value;
  if (scheme === "basic") {
    const text = Buffer.from(value, "base64").toString();
    const colon = text.indexOf(":");
    if (colon >= 0) return text.slice(colon + 1);
  }
  throw MicroError.unauthorized("auth", "invalid authorization header. Expected Bearer or Basic schema");
}
