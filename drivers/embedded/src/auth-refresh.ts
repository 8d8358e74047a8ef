import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { Token } from "@microts/blocks/auth";
import type { StoreDriver } from "@microts/blocks/store";
import { type Account, type Log, MicroError } from "@microts/core";
import { type AccountBook, type AccountEntry, authTable } from "./auth-accounts.ts";
import { KeyedMutex } from "./keyed-mutex.ts";

/** A sign-in and all that was refreshed from it. Only the newest token's hash is kept, so that using it up is one write. */
interface Family {
  readonly account: string;
  readonly generation: string;
  /** SHA-256 of the token that is good now, in hex. */
  readonly current: string;
}

interface Successor {
  readonly token: Token;
  readonly until: number;
}

export interface RefreshLimits {
  /** How long a used token still gives its successor. */
  readonly graceMs: number;
  readonly lifeMs: number;
  readonly serviceLifeMs: number;
}

/** A used token gives its successor for 10 s more; a token lives 30 days, a service's 24 hours. */
export const defaultRefreshLimits: RefreshLimits = {
  graceMs: 10_000,
  lifeMs: 30 * 24 * 3_600_000,
  serviceLifeMs: 24 * 3_600_000,
};

type Sign = (entry: AccountEntry) => Promise<Omit<Token, "refreshToken">>;

const never = new AbortController().signal;
const maxSuccessors = 10_000;

/**
 * Refresh tokens: `mrt_`, the family's id of 128 bits and a secret of 256 bits. Good once. A token of a family that is not its newest one was
 * stolen, or the newest was: the family ends (RFC 9700 §4.14.2).
 */
export class RefreshTokens {
  readonly #store: StoreDriver;
  readonly #accounts: AccountBook;
  readonly #log: Log;
  readonly #limits: RefreshLimits;
  readonly #mutex = new KeyedMutex();
  readonly #successors = new Map<string, Successor>();

  constructor(store: StoreDriver, accounts: AccountBook, log: Log, limits: RefreshLimits) {
    this.#store = store;
    this.#accounts = accounts;
    this.#log = log;
    this.#limits = limits;
  }

  /** Begins a family. Resolves when it is on disk. */
  async issue(entry: AccountEntry): Promise<string> {
    const family = randomBytes(16).toString("base64url");
    const refreshToken = newToken(family);
    await this.#save(family, entry, refreshToken);
    return refreshToken;
  }

  /** Exchanges a token for its successor, with an access token made by `sign`. Throws 401. */
  async exchange(namespace: string, refreshToken: string, sign: Sign): Promise<Token> {
    const family = /^mrt_([\w-]{22})[\w-]{43}$/.exec(refreshToken)?.[1];
    if (family === undefined) throw invalid();
    return this.#mutex.run(`${namespace}/${family}`, () => this.#exchange(namespace, family, refreshToken, sign));
  }

  async #exchange(namespace: string, family: string, refreshToken: string, sign: Sign): Promise<Token> {
    const record = await this.#store.read(authTable, keyOf(namespace, family), never);
    if (record === undefined) throw invalid();
    const { account, generation, current } = JSON.parse(Buffer.from(record.value).toString()) as Family;
    const entry = (await this.#accounts.all(namespace)).get(account);
    if (entry === undefined || entry.generation !== generation) {
      await this.#revoke(namespace, family);
      throw invalid();
    }
    const hash = hashOf(refreshToken);
    const successor = this.#successors.get(hash);
    if (successor !== undefined && successor.until > Date.now()) return successor.token;
    if (!timingSafeEqual(Buffer.from(hash), Buffer.from(current))) {
      this.#log.warn("a used refresh token came back: its sign-in is revoked", { namespace, account });
      await this.#revoke(namespace, family);
      throw invalid();
    }
    const token = { ...(await sign(entry)), refreshToken: newToken(family) };
    await this.#save(family, entry, token.refreshToken);
    this.#remember(hash, token);
    return token;
  }

  async #save(family: string, { account, generation }: AccountEntry, refreshToken: string): Promise<void> {
    const content: Family = { account: account.id, generation, current: hashOf(refreshToken) };
    const record = {
      key: keyOf(account.issuer, family),
      value: Buffer.from(JSON.stringify(content)),
      metadata: {},
      expiresAt: new Date(Date.now() + this.#lifeMs(account)),
    };
    await this.#store.write(authTable, record, never);
  }

  #lifeMs({ type }: Account): number {
    return type === "service" ? this.#limits.serviceLifeMs : this.#limits.lifeMs;
  }

  async #revoke(namespace: string, family: string): Promise<void> {
    await this.#store.delete(authTable, keyOf(namespace, family), never);
  }

  #remember(hash: string, token: Token): void {
    const now = Date.now();
    for (const [key, { until }] of this.#successors) {
      if (until > now && this.#successors.size < maxSuccessors) break;
      this.#successors.delete(key);
    }
    this.#successors.set(hash, { token, until: now + this.#limits.graceMs });
  }
}

function keyOf(namespace: string, family: string): string {
  return `refresh/${namespace}/${family}`;
}

function newToken(family: string): string {
  return `mrt_${family}${randomBytes(32).toString("base64url")}`;
}

function hashOf(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}

function invalid(): MicroError {
  return MicroError.unauthorized(
    "auth.Auth.Token",
    "invalid token provided: the refresh token is unknown, used or expired. Sign in again with: micro login",
  );
}
