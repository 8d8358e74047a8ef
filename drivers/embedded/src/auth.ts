import { randomBytes, randomUUID } from "node:crypto";
import type { AuthDriver, NewAccount, Rule, Token } from "@microts/blocks/auth";
import type { StoreDriver } from "@microts/blocks/store";
import {
  type Account,
  accountOf,
  defaultNamespace,
  type Log,
  MicroError,
  signToken,
  silent,
  type TokenClaims,
  verifyToken,
} from "@microts/core";
import { AccountBook, type AccountEntry } from "./auth-accounts.ts";
import { defaultRefreshLimits, type RefreshLimits, RefreshTokens } from "./auth-refresh.ts";
import { RuleBook } from "./auth-rules.ts";
import { KeyedMutex } from "./keyed-mutex.ts";
import { defaultHashCost, type HashCost, SecretHasher } from "./secret-hash.ts";
import { SignInThrottle } from "./sign-in-throttle.ts";
import type { SigningKeys } from "./signing-keys.ts";

export interface EmbeddedAuthOptions {
  readonly store: StoreDriver;
  readonly keys: SigningKeys;
  readonly log?: Log;
  /** Default: OWASP's. Hashes made at less are renewed at the next sign-in. */
  readonly hashCost?: HashCost;
  readonly refresh?: RefreshLimits;
}

const maxVerified = 10_000;

/** What a token says, and the generation of the account it was given to. */
interface VerifiedToken {
  readonly claims: TokenClaims;
  readonly generation: string;
}

/**
 * Accounts, tokens and rules in a store, for the one process that owns it. Access tokens are JWTs whose `jti` begins with the account's
 * generation: a changed secret or a deleted account ends them at once. The store stays the caller's to close.
 */
export class EmbeddedAuth implements AuthDriver {
  readonly name = "embedded";
  readonly #keys: SigningKeys;
  readonly #log: Log;
  readonly #accounts: AccountBook;
  readonly #refresh: RefreshTokens;
  readonly #rules: RuleBook;
  readonly #hasher: SecretHasher;
  readonly #throttle = new SignInThrottle();
  readonly #mutex = new KeyedMutex();
  readonly #verified = new Map<string, VerifiedToken>();
  /** The generation of the server's own tokens: a new one each time it starts. */
  readonly #ownGeneration = newGeneration();

  constructor({
    store,
    keys,
    log = silent,
    hashCost = defaultHashCost,
    refresh = defaultRefreshLimits,
  }: EmbeddedAuthOptions) {
    this.#keys = keys;
    this.#log = log;
    this.#accounts = new AccountBook(store);
    this.#refresh = new RefreshTokens(store, this.#accounts, log, refresh);
    this.#rules = new RuleBook(store);
    this.#hasher = new SecretHasher(hashCost);
  }

  async createAccount(namespace: string, account: NewAccount, signal: AbortSignal): Promise<Account> {
    refuseTaken(await this.#accounts.all(namespace), account);
    const entry = newEntry(namespace, account, await this.#hasher.hash(account.secret));
    return this.#mutex.run(namespace, async () => {
      signal.throwIfAborted();
      refuseTaken(await this.#accounts.all(namespace), account);
      await this.#accounts.put(entry);
      this.#log.info("account created", { namespace, account: account.id, type: account.type });
      return entry.account;
    });
  }

  async listAccounts(namespace: string): Promise<Account[]> {
    const entries = [...(await this.#accounts.all(namespace)).values()];
    return entries.map(({ account }) => account).toSorted((a, b) => (a.id < b.id ? -1 : 1));
  }

  async deleteAccount(namespace: string, id: string, signal: AbortSignal): Promise<void> {
    await this.#mutex.run(namespace, async () => {
      signal.throwIfAborted();
      const accounts = await this.#accounts.all(namespace);
      const entry = accounts.get(id);
      if (entry === undefined) throw unknownAccount("auth.Accounts.Delete", namespace, id);
      if (
        namespace === defaultNamespace &&
        isAdminUser(entry) &&
        [...accounts.values()].filter(isAdminUser).length === 1
      ) {
        const fix = "Create another one first with: micro auth create account --scopes=admin <id>";
        throw MicroError.badRequest(
          "auth.Accounts.Delete",
          `Can't delete "${id}", the last admin of "${namespace}". ${fix}`,
        );
      }
      await this.#accounts.remove(namespace, id);
      this.#log.info("account deleted", { namespace, account: id });
    });
  }

  async changeSecret(
    namespace: string,
    id: string,
    oldSecret: string | undefined,
    newSecret: string,
    signal: AbortSignal,
  ): Promise<void> {
    const at = "auth.Accounts.ChangeSecret";
    const before = (await this.#accounts.all(namespace)).get(id);
    if (before === undefined) throw unknownAccount(at, namespace, id);
    if (oldSecret !== undefined && !(await this.#check(namespace, id, before, oldSecret))) {
      throw MicroError.unauthorized(at, `Secret not correct: the old secret given for "${id}" isn't the account's`);
    }
    const hash = await this.#hasher.hash(newSecret);
    await this.#mutex.run(namespace, async () => {
      signal.throwIfAborted();
      const entry = (await this.#accounts.all(namespace)).get(id);
      if (entry === undefined) throw unknownAccount(at, namespace, id);
      if (oldSecret !== undefined && entry.generation !== before.generation) {
        throw MicroError.unauthorized(at, `Secret not correct: the secret of "${id}" was changed meanwhile`);
      }
      await this.#accounts.put({ account: entry.account, hash, generation: newGeneration() });
      this.#log.info("secret changed", { namespace, account: id });
    });
  }

  async signIn(namespace: string, id: string, secret: string, ttlMs: number, signal: AbortSignal): Promise<Token> {
    const entry = await this.#accounts.find(namespace, id);
    const right = await this.#check(namespace, entry?.account.id ?? id, entry, secret);
    signal.throwIfAborted();
    if (!right || entry === undefined) {
      this.#log.warn("sign-in failed", { namespace, account: id });
      throw MicroError.unauthorized(
        "auth.Auth.Token",
        `Secret not correct, or no account with this ID in "${namespace}"`,
      );
    }
    await this.#renewHash(entry, secret);
    const refreshToken = await this.#refresh.issue(entry);
    return { ...(await this.#sign(entry, ttlMs)), refreshToken };
  }

  async refresh(namespace: string, refreshToken: string, ttlMs: number, signal: AbortSignal): Promise<Token> {
    signal.throwIfAborted();
    return this.#refresh.exchange(namespace, refreshToken, (entry) => this.#sign(entry, ttlMs));
  }

  async inspect(token: string): Promise<Account> {
    const { claims, generation } = this.#verify(token);
    if (generation === this.#ownGeneration) return accountOf(claims);
    const entry = (await this.#accounts.all(claims.iss)).get(claims.sub);
    if (entry !== undefined && entry.generation === generation) return entry.account;
    throw MicroError.unauthorized("auth.Auth.Inspect", "the token was revoked. Sign in again with: micro login");
  }

  async createRule(namespace: string, rule: Rule, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await this.#rules.add(namespace, rule);
    this.#log.info("rule created", { namespace, rule: rule.id });
  }

  async deleteRule(namespace: string, id: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await this.#rules.remove(namespace, id);
    this.#log.info("rule deleted", { namespace, rule: id });
  }

  async listRules(namespace: string): Promise<Rule[]> {
    const rules = await this.#rules.list(namespace);
    return rules.toSorted((a, b) => b.priority - a.priority || (a.id < b.id ? -1 : 1));
  }

  async putServiceAccount(namespace: string, account: NewAccount, signal: AbortSignal): Promise<Account> {
    const fresh = newEntry(namespace, account, await this.#hasher.hash(account.secret));
    return this.#mutex.run(namespace, async () => {
      signal.throwIfAborted();
      const accounts = await this.#accounts.all(namespace);
      const known = accounts.get(account.id);
      if (known === undefined || !isSameService(known.account, account)) refuseTaken(accounts, account);
      const entry = known === undefined ? fresh : { ...known, hash: fresh.hash };
      await this.#accounts.put(entry);
      return entry.account;
    });
  }

  async issueToken(account: Account, ttlMs: number): Promise<Token> {
    const token = await this.#sign({ account, hash: "", generation: this.#ownGeneration }, ttlMs);
    return { ...token, refreshToken: "" };
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #check(namespace: string, id: string, entry: AccountEntry | undefined, secret: string): Promise<boolean> {
    return this.#throttle.try(`${namespace}/${id}`, () => this.#hasher.verify(secret, entry?.hash));
  }

  /** A secret that was hashed at a lower cost is hashed anew when it shows up in clear. */
  async #renewHash({ account, hash }: AccountEntry, secret: string): Promise<void> {
    if (!this.#hasher.isWeak(hash)) return;
    const renewed = await this.#hasher.hash(secret);
    await this.#mutex.run(account.issuer, async () => {
      const entry = (await this.#accounts.all(account.issuer)).get(account.id);
      if (entry?.hash === hash) await this.#accounts.put({ ...entry, hash: renewed });
    });
  }

  async #sign({ account, generation }: AccountEntry, ttlMs: number): Promise<Omit<Token, "refreshToken">> {
    const { keyId, privateKey } = this.#keys;
    const created = new Date();
    const expiry = new Date(Math.ceil((created.getTime() + ttlMs) / 1000) * 1000);
    const accessToken = await signToken(account, expiry, keyId, privateKey, `${generation}.${randomUUID()}`);
    return { accessToken, created, expiry };
  }

  #verify(token: string): VerifiedToken {
    const known = this.#verified.get(token);
    if (known !== undefined && known.claims.exp * 1000 > Date.now()) return known;
    this.#verified.delete(token);
    const claims = verifyToken(token, this.#keys.publicKey);
    const oldest = this.#verified.keys().next();
    if (this.#verified.size >= maxVerified && !oldest.done) this.#verified.delete(oldest.value);
    const verified = { claims, generation: claims.jti.slice(0, claims.jti.indexOf(".")) };
    this.#verified.set(token, verified);
    return verified;
  }
}

function newEntry(issuer: string, { id, name, type, scopes, metadata }: NewAccount, hash: string): AccountEntry {
  const created = { created: String(Math.floor(Date.now() / 1000)) };
  const account = { id, name, type, issuer, scopes, metadata: { ...metadata, ...created } };
  return { account, hash, generation: newGeneration() };
}

function newGeneration(): string {
  return randomBytes(16).toString("base64url");
}

function isAdminUser({ account }: AccountEntry): boolean {
  return account.type === "user" && account.scopes.includes("admin");
}

function isSameService(known: Account, { type, metadata }: NewAccount): boolean {
  const { service, version } = known.metadata;
  return (
    known.type === "service" && type === "service" && service === metadata["service"] && version === metadata["version"]
  );
}

/** An id may not be another's name either: both sign in. */
function refuseTaken(accounts: ReadonlyMap<string, AccountEntry>, { id, name }: NewAccount): void {
  for (const { account } of accounts.values()) {
    if (account.id === id || account.name === id) throw taken("ID", id, account.issuer);
    if (account.id === name || account.name === name) throw taken("Name", name, account.issuer);
  }
}

function taken(what: string, value: string, namespace: string): MicroError {
  return MicroError.conflict(
    "auth.Auth.Generate",
    `Account with this ${what} already exists: "${value}" in "${namespace}"`,
  );
}

function unknownAccount(at: string, namespace: string, id: string): MicroError {
  const fix = "List them with: micro auth list accounts";
  return MicroError.notFound(at, `Account not found with this ID: "${id}" in "${namespace}". ${fix}`);
}
