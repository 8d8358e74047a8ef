import { randomBytes } from "node:crypto";
import { type Account, checkNamespace, defaultNamespace, describe, MicroError, tokenOf } from "@microts/core";
import type { AuthDriver, NewAccount, Resource, Rule, Token } from "./driver.ts";
import { RuleCache } from "./rule-cache.ts";
import { decide } from "./rules.ts";
import { checkAccount, checkId, checkRule, checkSecret } from "./validate.ts";

/** Where a call acts and what ends it. */
export interface AuthCallOptions {
  /** Default `micro`. */
  readonly namespace?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface TokenCallOptions extends AuthCallOptions {
  /** Life of the access token in milliseconds: 0, the default, for 15 minutes; at most an hour, more is cut to that. */
  readonly ttlMs?: number | undefined;
}

/** An account to make; all but the id have defaults. */
export interface AccountRequest {
  readonly id: string;
  /** Default: the id. */
  readonly name?: string | undefined;
  /** Default `user`. */
  readonly type?: string | undefined;
  readonly scopes?: readonly string[] | undefined;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  /** Default: a random one. */
  readonly secret?: string | undefined;
}

/** What an account signs in with. */
export interface Credentials {
  readonly id: string;
  readonly secret: string;
}

export interface AuthOptions {
  /** How long rules made elsewhere may go unseen, in milliseconds; those made through this object count at once. Default 10 s. */
  readonly rulesTtlMs?: number;
}

const defaultTtlMs = 15 * 60_000;
const maxTtlMs = 60 * 60_000;
const never = new AbortController().signal;
/** Tokens are remembered for so many values of `authorization`, none longer than so many characters. */
const maxTokens = 1_000;
const longestRemembered = 2_048;

/** Accounts, tokens and rules. Every method throws MicroErrors that say what was tried. */
export class Auth implements AsyncDisposable {
  readonly #driver: AuthDriver;
  readonly #rules: RuleCache;
  /** By the value that has it. A connection gives the same string each time, whose hash is known: one that is cut from it has to be read anew for every look-up. */
  readonly #tokens = new Map<string, string>();

  constructor(driver: AuthDriver, { rulesTtlMs = 10_000 }: AuthOptions = {}) {
    this.#driver = driver;
    this.#rules = new RuleCache((namespace) => driver.listRules(namespace, never), rulesTtlMs);
  }

  /** Makes an account and returns it with its secret, which can't be read again. Throws 400, and 409 when the id or name is taken. */
  async createAccount(
    request: AccountRequest,
    options: AuthCallOptions = {},
  ): Promise<{ account: Account; secret: string }> {
    const at = "auth.Auth.Generate";
    const checked = checkAccount(withDefaults(request), at);
    const account = await this.#driver.createAccount(namespaceOf(options, at), checked, options.signal ?? never);
    return { account, secret: checked.secret };
  }

  /** The namespace's accounts by id, ascending. */
  async listAccounts(options: AuthCallOptions = {}): Promise<Account[]> {
    return this.#driver.listAccounts(namespaceOf(options, "auth.Accounts.List"), options.signal ?? never);
  }

  /** Deletes an account and ends its tokens. Throws 404, and 400 for the last admin of `micro`. */
  async deleteAccount(id: string, options: AuthCallOptions = {}): Promise<void> {
    const at = "auth.Accounts.Delete";
    await this.#driver.deleteAccount(namespaceOf(options, at), checkId(id, "ID", at), options.signal ?? never);
  }

  /** Gives an account another secret and ends its tokens. With an `oldSecret`, throws 401 when that isn't the account's. */
  async changeSecret(
    id: string,
    oldSecret: string | undefined,
    newSecret: string,
    options: AuthCallOptions = {},
  ): Promise<void> {
    const at = "auth.Accounts.ChangeSecret";
    const namespace = namespaceOf(options, at);
    if (oldSecret !== undefined) checkSecret(oldSecret, "Old secret", at);
    const checked = checkSecret(newSecret, "New secret", at);
    await this.#driver.changeSecret(namespace, checkId(id, "ID", at), oldSecret, checked, options.signal ?? never);
  }

  /** Exchanges an account's id or name and secret for a token. Throws 401, and 429 after too many tries. */
  async signIn(id: string, secret: string, options: TokenCallOptions = {}): Promise<Token> {
    const at = "auth.Auth.Token";
    const [checkedId, checked] = [checkId(id, "ID", at), checkSecret(secret, "Secret", at)];
    const { ttlMs, signal = never } = options;
    return this.#driver.signIn(namespaceOf(options, at), checkedId, checked, lifetimeOf(ttlMs), signal);
  }

  /** Exchanges a refresh token, which is good once, for a token. Throws 401. */
  async refresh(refreshToken: string, options: TokenCallOptions = {}): Promise<Token> {
    const { ttlMs, signal = never } = options;
    const namespace = namespaceOf(options, "auth.Auth.Token");
    return this.#driver.refresh(namespace, refreshToken, lifetimeOf(ttlMs), signal);
  }

  /** The account an access token proves. Throws 401 for a token that is forged, expired or revoked. */
  async inspect(token: string, signal: AbortSignal = never): Promise<Account> {
    return this.#driver.inspect(token, signal);
  }

  /** The account an `authorization` value proves; undefined without one. Throws 401. */
  verify(authorization: string | undefined, signal: AbortSignal = never): Promise<Account | undefined> {
    if (authorization === undefined || authorization === "") return Promise.resolve(undefined);
    try {
      return this.#driver.inspect(this.#tokenOf(authorization), signal);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #tokenOf(authorization: string): string {
    const known = this.#tokens.get(authorization);
    if (known !== undefined) return known;
    const token = tokenOf(authorization);
    if (this.#tokens.size >= maxTokens) this.#tokens.clear();
    if (authorization.length <= longestRemembered) this.#tokens.set(authorization, token);
    return token;
  }

  /** Throws 400, and 409 when the id is taken. Counts from the next call on. */
  async createRule(rule: Rule, options: AuthCallOptions = {}): Promise<void> {
    const at = "auth.Rules.Create";
    const namespace = namespaceOf(options, at);
    await this.#driver.createRule(namespace, checkRule(rule, at), options.signal ?? never);
    this.#rules.forget(namespace);
  }

  /** Throws 404 when there is no such rule. Counts from the next call on. */
  async deleteRule(id: string, options: AuthCallOptions = {}): Promise<void> {
    const at = "auth.Rules.Delete";
    const namespace = namespaceOf(options, at);
    await this.#driver.deleteRule(namespace, checkId(id, "ID", at), options.signal ?? never);
    this.#rules.forget(namespace);
  }

  /** By priority descending, then id. */
  async listRules(options: AuthCallOptions = {}): Promise<Rule[]> {
    return this.#driver.listRules(namespaceOf(options, "auth.Rules.List"), options.signal ?? never);
  }

  /** The namespace's rules from memory, read when they aren't there or are older than `rulesTtlMs`. */
  rulesFor(namespace: string): Promise<readonly Rule[]> {
    return this.#rules.get(checkNamespace(namespace, "auth"));
  }

  /** Returns when the namespace's rules let the account call the resource. Throws 403 for an account, 401 without one. */
  async authorize(account: Account | undefined, namespace: string, resource: Resource): Promise<void> {
    const { allowed, rule } = decide(await this.rulesFor(namespace), account, namespace, resource);
    if (!allowed) throw refusal(account, namespace, resource, rule);
  }

  /**
   * Makes the account `admin` in `micro` if that namespace has no admin. Returns the password when it had to be generated, this once;
   * undefined when it was given or there is an admin already.
   */
  async bootstrapAdmin(password?: string, signal: AbortSignal = never): Promise<string | undefined> {
    const accounts = await this.listAccounts({ signal });
    if (accounts.some(({ type, scopes }) => type === "user" && scopes.includes("admin"))) return undefined;
    const { secret } = await this.createAccount(
      { id: "admin", scopes: ["admin"], secret: password || undefined },
      { signal },
    );
    return password ? undefined : secret;
  }

  /** The identity of a deployed service, with a new secret each time; tokens it already has stay good. Throws 409 when the id is somebody else's. */
  async issueServiceAccount(
    namespace: string,
    name: string,
    version: string,
    signal: AbortSignal = never,
  ): Promise<Credentials> {
    const at = "auth.Auth.Generate";
    const id = serviceAccountId(name, version);
    const metadata = { service: name, version };
    const account = checkAccount(withDefaults({ id, type: "service", scopes: ["service"], metadata }), at);
    await this.#driver.putServiceAccount(checkNamespace(namespace, at), account, signal);
    return { id: account.id, secret: account.secret };
  }

  /** Ends the identity of a service that is gone, and its tokens. One that isn't there is fine. */
  async removeServiceAccount(
    namespace: string,
    name: string,
    version: string,
    signal: AbortSignal = never,
  ): Promise<void> {
    try {
      await this.deleteAccount(serviceAccountId(name, version), { namespace, signal });
    } catch (error) {
      if (!(error instanceof MicroError) || error.code !== 404) throw error;
    }
  }

  /** An access token for the server's own identity, of `ttlMs` (at most an hour). It needs no account and ends with the server. */
  async issueToken(account: Account, ttlMs: number, signal: AbortSignal = never): Promise<Token> {
    return this.#driver.issueToken(account, lifetimeOf(ttlMs), signal);
  }

  /** Closes the driver. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#driver[Symbol.asyncDispose]();
  }
}

/** `<name>-<version>`, as in the original. */
function serviceAccountId(name: string, version: string): string {
  return `${name}-${version}`;
}

function withDefaults({ id, name, type, scopes, metadata, secret }: AccountRequest): NewAccount {
  return {
    id,
    name: name || id,
    type: type || "user",
    scopes: [...new Set(scopes ?? [])],
    metadata: { ...metadata },
    secret: secret ?? randomBytes(24).toString("base64url"),
  };
}

function namespaceOf(options: AuthCallOptions, at: string): string {
  return checkNamespace(options.namespace || defaultNamespace, at);
}

function lifetimeOf(ttlMs: number | undefined): number {
  return ttlMs === undefined || !(ttlMs > 0) ? defaultTtlMs : Math.min(Math.max(ttlMs, 1000), maxTtlMs);
}

function refusal(
  account: Account | undefined,
  namespace: string,
  { name, endpoint }: Resource,
  rule: Rule | undefined,
): MicroError {
  const because =
    rule === undefined ? `no rule of "${namespace}" grants it` : `the rule "${rule.id}" of "${namespace}" denies it`;
  const call = `${name}:${endpoint}`;
  const resource = `service:${call}`;
  if (account === undefined) {
    const fix = `sign in with: micro login. To let anybody call it: micro auth create rule --resource=${resource} ${name}-public`;
    return MicroError.unauthorized(
      name,
      `Unauthorized call made to ${call}: nobody is signed in and ${because}; ${fix}`,
    );
  }
  const fix = `an admin can grant it with: micro auth create rule --scope='*' --resource=${resource} --priority=1 ${name}-accounts`;
  const who = `as ${describe(account)}`;
  return MicroError.forbidden(
    name,
    `Forbidden call made to ${call} by ${account.id}: called ${who}, ${because}; ${fix}`,
  );
}
