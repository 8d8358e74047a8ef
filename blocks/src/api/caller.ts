import { type Account, checkNamespace, defaultNamespace, describe, isMember, MicroError } from "@microts/core";

const id = "go.micro.api";

/**
 * The tenant a request acts in: the caller's own, or another it asks for. With an account that has to be one it is a member of; anonymous callers
 * may ask for any, whose rules then decide. Throws 400 for a bad name, 403 for somebody else's.
 */
export function namespaceOf(asked: string | undefined, account: Account | undefined): string {
  const own = account?.issuer ?? defaultNamespace;
  if (asked === undefined || asked === "" || asked === own) return own;
  checkNamespace(asked, id);
  if (account === undefined || isMember(account, asked)) return asked;
  throw MicroError.forbidden(
    id,
    `Micro-Namespace asks for "${asked}", and ${describe(account)} isn't a member of it. Leave the header out to act in "${own}"`,
  );
}

/** Throws 401 for an account on the block list of its own namespace or of the one it acts in. */
export function refuseBlocked(
  account: Account,
  namespace: string,
  blocked: (id: string, namespace: string) => boolean,
): void {
  if (!blocked(account.id, account.issuer) && (namespace === account.issuer || !blocked(account.id, namespace))) return;
  throw MicroError.unauthorized(id, `${describe(account)} is blocked. Ask an administrator of this server`);
}
