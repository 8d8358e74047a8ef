import { MicroError } from "./errors.ts";

/** Who is calling, as the verified token says. */
export interface Account {
  readonly id: string;
  readonly name: string;
  /** `user` or `service`. */
  readonly type: string;
  /** The namespace the account belongs to. */
  readonly issuer: string;
  readonly scopes: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** The namespace of the platform itself and of everybody who has not chosen another. */
export const defaultNamespace = "micro";

/** An account of the namespace, or an admin or service of the `micro` namespace (wire §11). */
export function isMember(account: Account, namespace: string): boolean {
  if (account.issuer === namespace) return account.type === "user" || account.type === "service";
  return account.issuer === defaultNamespace && hasPrivileges(account);
}

/** A member with privileges: a user with the scope `admin` or a service with the scope `service` (wire §11). */
export function isAdmin(account: Account, namespace: string): boolean {
  return isMember(account, namespace) && hasPrivileges(account);
}

function hasPrivileges({ type, scopes }: Account): boolean {
  return (type === "user" && scopes.includes("admin")) || (type === "service" && scopes.includes("service"));
}

/** Throws 401 without an account, 403 for an account of another namespace. `id` names the endpoint, such as `store.Store.Read`. */
export function requireMember(account: Account | undefined, namespace: string, id: string): Account {
  const known = requireAccount(account, id);
  if (!isMember(known, namespace)) {
    throw MicroError.forbidden(
      id,
      `access denied to namespace: ${id} in "${namespace}" was called by ${describe(known)}, which isn't a member of it`,
    );
  }
  return known;
}

/** Throws 401 without an account, 403 for an account of another namespace or without privileges in it. */
export function requireAdmin(account: Account | undefined, namespace: string, id: string): Account {
  const known = requireMember(account, namespace, id);
  if (!isAdmin(known, namespace)) {
    throw MicroError.forbidden(
      id,
      `Unauthorized: ${id} in "${namespace}" needs the scope "admin"; ${describe(known)} has ${known.scopes.join(", ") || "no scopes"}`,
    );
  }
  return known;
}

/** Throws 401 when nobody is signed in. */
export function requireAccount(account: Account | undefined, id: string): Account {
  if (account === undefined) {
    throw MicroError.unauthorized(
      id,
      `an account is required: ${id} was called without a token. Sign in with: micro login`,
    );
  }
  return account;
}

/** How an account is written in messages: `user jane of acme`. */
export function describe({ type, name, issuer }: Account): string {
  return `${type} "${name}" of "${issuer}"`;
}
