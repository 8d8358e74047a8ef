import type { Account } from "@microts/core";

export interface NewAccount {
  /** Unique in the namespace. */
  readonly id: string;
  /** Also unique, and as good as the id for signing in. */
  readonly name: string;
  readonly type: string;
  readonly scopes: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly secret: string;
}

export interface Token {
  /** A JWT. */
  readonly accessToken: string;
  /** Opaque, good for one use; empty when none was issued. */
  readonly refreshToken: string;
  readonly created: Date;
  readonly expiry: Date;
}

export interface Resource {
  /** `service` for everything called; `*` for any. */
  readonly type: string;
  readonly name: string;
  /** `Handler.Method`; `*` for any; `prefix/*` for paths. */
  readonly endpoint: string;
}

export interface Rule {
  readonly id: string;
  /** "" anybody, `*` any account of the namespace, `+` any account, else accounts of the namespace with this scope. */
  readonly scope: string;
  readonly resource: Resource;
  readonly access: "granted" | "denied";
  /** Higher decides first; a denial before a grant of equal priority. */
  readonly priority: number;
}

/** What a backend must do to know accounts, tokens and rules. `Auth` has already validated every argument. */
export interface AuthDriver extends AsyncDisposable {
  readonly name: string;

  /** Throws 409 when the id or the name is taken, as an id or as a name. The secret is kept as a slow hash. */
  createAccount(namespace: string, account: NewAccount, signal: AbortSignal): Promise<Account>;

  /** By id, ascending. */
  listAccounts(namespace: string, signal: AbortSignal): Promise<Account[]>;

  /** Ends the account's tokens with it. Throws 404 when it isn't there, 400 for the last admin of the namespace `micro`. */
  deleteAccount(namespace: string, id: string, signal: AbortSignal): Promise<void>;

  /** Ends the account's tokens. Throws 404 when it isn't there; with an `oldSecret`, 401 when that is not the account's. */
  changeSecret(
    namespace: string,
    id: string,
    oldSecret: string | undefined,
    newSecret: string,
    signal: AbortSignal,
  ): Promise<void>;

  /**
   * Exchanges an id or name and its secret for a token. Throws the same 401 for an unknown account and a wrong secret, at the same cost, and
   * 429 saying how long to wait when an account was tried too often.
   */
  signIn(namespace: string, id: string, secret: string, ttlMs: number, signal: AbortSignal): Promise<Token>;

  /**
   * Exchanges a refresh token, which dies by it, for a new token. A used token gives the same successor for a few seconds more, so that a
   * caller who missed the answer may ask again; after that using it ends all tokens that came from it. Throws 401.
   */
  refresh(namespace: string, refreshToken: string, ttlMs: number, signal: AbortSignal): Promise<Token>;

  /** The account an access token proves, as long as the account is there and its secret is the same. Throws 401. */
  inspect(token: string, signal: AbortSignal): Promise<Account>;

  /** Throws 409 when the id is taken. */
  createRule(namespace: string, rule: Rule, signal: AbortSignal): Promise<void>;

  /** Throws 404 when it isn't there. */
  deleteRule(namespace: string, id: string, signal: AbortSignal): Promise<void>;

  /** By priority descending, then id. A namespace never touched before begins with the one rule `default`: anybody may call its services; once deleted it stays deleted. */
  listRules(namespace: string, signal: AbortSignal): Promise<Rule[]>;

  /**
   * Makes the account or, when it is there, gives it this secret and leaves its tokens alive: the old instance of a service works on while
   * the new one starts. Throws 409 when the id or name belongs to something else. Only inside the server: 501 from anywhere else.
   */
  putServiceAccount(namespace: string, account: NewAccount, signal: AbortSignal): Promise<Account>;

  /**
   * An access token for an account that needs no record: the server's own identity. It proves the account until it expires or the server
   * ends; it has no refresh token. Only inside the server: 501 from anywhere else.
   */
  issueToken(account: Account, ttlMs: number, signal: AbortSignal): Promise<Token>;
}
