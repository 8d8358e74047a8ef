import { type Account, MicroError } from "@microts/core";
import { type RpcClient, type ServiceClient, serviceClient } from "@microts/core/rpc";
import {
  Access,
  Accounts,
  Auth,
  Rules,
  type Account as WireAccount,
  type Rule as WireRule,
  type Token as WireToken,
} from "@microts/proto/auth";
import type { AuthDriver, NewAccount, Rule, Token } from "./driver.ts";

/** The platform's `auth` service, called over RPC with the rights of whoever calls. */
export class RemoteAuth implements AuthDriver {
  readonly name = "remote";
  readonly #auth: ServiceClient<(typeof Auth)["method"]>;
  readonly #accounts: ServiceClient<(typeof Accounts)["method"]>;
  readonly #rules: ServiceClient<(typeof Rules)["method"]>;

  /** `rpc` stays the caller's to close. */
  constructor(rpc: RpcClient) {
    this.#auth = serviceClient(Auth, rpc, "auth");
    this.#accounts = serviceClient(Accounts, rpc, "auth");
    this.#rules = serviceClient(Rules, rpc, "auth");
  }

  async createAccount(namespace: string, account: NewAccount, signal: AbortSignal): Promise<Account> {
    const { id, name, type, scopes, metadata, secret } = account;
    const request = { id, name, type, scopes: [...scopes], metadata: { ...metadata }, secret, options: { namespace } };
    return accountFrom((await this.#auth.generate(request, { signal })).account);
  }

  async listAccounts(namespace: string, signal: AbortSignal): Promise<Account[]> {
    const { accounts } = await this.#accounts.list({ options: { namespace } }, { signal });
    return accounts.map(accountFrom);
  }

  async deleteAccount(namespace: string, id: string, signal: AbortSignal): Promise<void> {
    await this.#accounts.delete({ id, options: { namespace } }, { signal });
  }

  async changeSecret(
    namespace: string,
    id: string,
    oldSecret: string | undefined,
    newSecret: string,
    signal: AbortSignal,
  ): Promise<void> {
    const request = { id, oldSecret: oldSecret ?? "", newSecret, options: { namespace } };
    await this.#accounts.changeSecret(request, { signal });
  }

  async signIn(namespace: string, id: string, secret: string, ttlMs: number, signal: AbortSignal): Promise<Token> {
    const request = { id, secret, tokenExpiry: seconds(ttlMs), options: { namespace } };
    return tokenFrom((await this.#auth.token(request, { signal })).token);
  }

  async refresh(namespace: string, refreshToken: string, ttlMs: number, signal: AbortSignal): Promise<Token> {
    const request = { refreshToken, tokenExpiry: seconds(ttlMs), options: { namespace } };
    return tokenFrom((await this.#auth.token(request, { signal })).token);
  }

  async inspect(token: string, signal: AbortSignal): Promise<Account> {
    return accountFrom((await this.#auth.inspect({ token }, { signal })).account);
  }

  async createRule(namespace: string, rule: Rule, signal: AbortSignal): Promise<void> {
    const access = rule.access === "granted" ? Access.GRANTED : Access.DENIED;
    await this.#rules.create({ rule: { ...rule, access }, options: { namespace } }, { signal });
  }

  async deleteRule(namespace: string, id: string, signal: AbortSignal): Promise<void> {
    await this.#rules.delete({ id, options: { namespace } }, { signal });
  }

  async listRules(namespace: string, signal: AbortSignal): Promise<Rule[]> {
    const { rules } = await this.#rules.list({ options: { namespace } }, { signal });
    return rules.map(ruleFrom);
  }

  async putServiceAccount(): Promise<Account> {
    throw onlyInside("auth.Auth.Generate", "gives services their identity");
  }

  async issueToken(): Promise<Token> {
    throw onlyInside("auth.Auth.Token", "signs tokens without a secret");
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

function onlyInside(at: string, what: string): MicroError {
  return MicroError.notImplemented(
    at,
    `only the server itself ${what}. Sign in with an account's id and secret instead`,
  );
}

function accountFrom(account: WireAccount | undefined): Account {
  if (account === undefined) throw missing("account");
  const { id, name, type, issuer, scopes, metadata } = account;
  return { id, name, type, issuer, scopes, metadata };
}

function tokenFrom(token: WireToken | undefined): Token {
  if (token === undefined) throw missing("token");
  const { accessToken, refreshToken, created, expiry } = token;
  return { accessToken, refreshToken, created: dateOf(created), expiry: dateOf(expiry) };
}

function ruleFrom({ id, scope, resource, access, priority }: WireRule): Rule {
  if (resource === undefined) throw missing("resource");
  const { type, name, endpoint } = resource;
  return {
    id,
    scope,
    resource: { type, name, endpoint },
    access: access === Access.GRANTED ? "granted" : "denied",
    priority,
  };
}

function missing(what: string): MicroError {
  return MicroError.internal("auth", `the auth service answered without a ${what}`);
}

function seconds(ms: number): bigint {
  return BigInt(Math.ceil(ms / 1000));
}

function dateOf(unixSeconds: bigint): Date {
  return new Date(Number(unixSeconds) * 1000);
}
