import { Auth, RemoteAuth } from "@microts/blocks/auth";
import type { Account } from "@microts/core";
import { connection, currentCall } from "./connection.ts";

let opened: Auth | undefined;

function open(): Auth {
  opened ??= new Auth(new RemoteAuth(connection().rpc));
  return opened;
}

/** A new account, with the secret that can't be read again. */
export interface CreatedAccount {
  readonly account: Account;
  readonly secret: string;
}

export interface AccountOptions {
  readonly name?: string;
  /** Default `user`. */
  readonly type?: string;
  readonly scopes?: readonly string[];
  readonly metadata?: Readonly<Record<string, string>>;
  /** Default: a random one. */
  readonly secret?: string;
}

/** Accounts of the tenant. */
export const auth = {
  /** Who made the call whose handler is running; undefined when nobody is signed in, and outside a handler. */
  account(): Account | undefined {
    return currentCall.getStore()?.account;
  },

  /** The account that a token proves. Throws 401. */
  inspect(token: string): Promise<Account> {
    return open().inspect(token);
  },

  /** Makes an account in the tenant. Throws 409 when the id or the name is taken. */
  create(id: string, options: AccountOptions = {}): Promise<CreatedAccount> {
    return open().createAccount({ id, ...options }, { namespace: connection().env.namespace });
  },

  /** Deletes an account and ends its tokens. Throws 404. */
  delete(id: string): Promise<void> {
    return open().deleteAccount(id, { namespace: connection().env.namespace });
  },
} as const;
