import {
  type Account,
  defaultNamespace,
  isAdmin,
  MicroError,
  requireAccount,
  requireAdmin,
  requireMember,
} from "@microts/core";
import { type CallContext, type Method, methodsOf } from "@microts/core/rpc";
import {
  Access,
  Accounts as AccountsService,
  Auth as AuthService,
  Rules as RulesService,
  type TokenRequest,
  type Rule as WireRule,
} from "@microts/proto/auth";
import type { Auth } from "./auth.ts";
import type { Rule, Token } from "./driver.ts";

/** The block as the service `auth`: Auth, Accounts and Rules (wire §13), each rpc for those who may call it (wire §11). */
export function authMethods(auth: Auth): Method[] {
  return [...tokenMethods(auth), ...accountMethods(auth), ...ruleMethods(auth)];
}

function tokenMethods(auth: Auth): Method[] {
  return methodsOf(AuthService, {
    async generate({ id, name, type, scopes, metadata, secret, options }, context) {
      const namespace = options?.namespace || context.namespace;
      requireAdmin(context.account, namespace, "auth.Auth.Generate");
      const request = { id, name, type, scopes, metadata, secret: secret || undefined };
      const made = await auth.createAccount(request, { namespace, signal: context.signal });
      return { account: { ...wireAccount(made.account), secret: made.secret } };
    },
    async inspect({ token }, { signal }) {
      return { account: wireAccount(await auth.inspect(token, signal)) };
    },
    async token(request, context) {
      return { token: wireToken(await exchange(auth, request, context)) };
    },
  });
}

function exchange(auth: Auth, request: TokenRequest, context: CallContext): Promise<Token> {
  const { id, secret, refreshToken, tokenExpiry } = request;
  const namespace = request.options?.namespace || context.namespace;
  const options = { namespace, ttlMs: Number(tokenExpiry) * 1000, signal: context.signal };
  if (refreshToken !== "") return auth.refresh(refreshToken, options);
  if (id !== "" && secret !== "") return auth.signIn(id, secret, options);
  throw MicroError.badRequest(
    "auth.Auth.Token",
    "Credentials or a refresh token required: give id and secret, or refresh_token",
  );
}

function accountMethods(auth: Auth): Method[] {
  return methodsOf(AccountsService, {
    async list({ options }, { account, signal }) {
      const namespace = options?.namespace || defaultNamespace;
      requireAdmin(account, namespace, "auth.Accounts.List");
      return { accounts: (await auth.listAccounts({ namespace, signal })).map(wireAccount) };
    },
    async delete({ id, options }, { account, signal }) {
      const at = "auth.Accounts.Delete";
      const namespace = options?.namespace || defaultNamespace;
      const caller = requireAdmin(account, namespace, at);
      if (caller.issuer === namespace && caller.id === id) {
        throw MicroError.badRequest(at, "Can't delete your own account. Sign in as another admin first");
      }
      await auth.deleteAccount(id, { namespace, signal });
      return {};
    },
    async changeSecret({ id, oldSecret, newSecret, options }, { account, signal }) {
      const at = "auth.Accounts.ChangeSecret";
      const namespace = options?.namespace || defaultNamespace;
      const caller = requireMember(account, namespace, at);
      if (oldSecret === "" && !mayResetSecrets(caller, namespace)) {
        throw MicroError.badRequest(at, `Secret not correct: the old secret of "${id}" is required`);
      }
      await auth.changeSecret(id, oldSecret || undefined, newSecret, { namespace, signal });
      return {};
    },
  });
}

/** Without the old one: admins of `micro` and services of the namespace (wire §11). */
function mayResetSecrets(caller: Account, namespace: string): boolean {
  return isAdmin(caller, defaultNamespace) || (caller.type === "service" && isAdmin(caller, namespace));
}

function ruleMethods(auth: Auth): Method[] {
  return methodsOf(RulesService, {
    async create({ rule, options }, { account, signal }) {
      const at = "auth.Rules.Create";
      const namespace = options?.namespace || defaultNamespace;
      requireAdmin(account, namespace, at);
      await auth.createRule(ruleFrom(rule, at), { namespace, signal });
      return {};
    },
    async delete({ id, options }, { account, signal }) {
      const namespace = options?.namespace || defaultNamespace;
      requireAdmin(account, namespace, "auth.Rules.Delete");
      await auth.deleteRule(id, { namespace, signal });
      return {};
    },
    async list({ options }, { account, signal }) {
      const at = "auth.Rules.List";
      const namespace = options?.namespace || defaultNamespace;
      requireMember(requireAccount(account, at), namespace, at);
      return { rules: (await auth.listRules({ namespace, signal })).map(wireRule) };
    },
  });
}

function ruleFrom(rule: WireRule | undefined, at: string): Rule {
  if (rule === undefined) throw MicroError.badRequest(at, "Rule missing");
  const { id, scope, resource, access, priority } = rule;
  if (id === "") throw MicroError.badRequest(at, "ID missing");
  if (resource === undefined) throw MicroError.badRequest(at, "Resource missing");
  if (access !== Access.GRANTED && access !== Access.DENIED) {
    throw MicroError.badRequest(at, "Access missing: it is GRANTED or DENIED");
  }
  const { type, name, endpoint } = resource;
  return {
    id,
    scope,
    resource: { type, name, endpoint },
    access: access === Access.GRANTED ? "granted" : "denied",
    priority,
  };
}

function wireRule({ id, scope, resource, access, priority }: Rule) {
  return { id, scope, resource, access: access === "granted" ? Access.GRANTED : Access.DENIED, priority };
}

function wireAccount({ id, name, type, issuer, scopes, metadata }: Account) {
  return { id, name, type, issuer, scopes: [...scopes], metadata: { ...metadata } };
}

function wireToken({ accessToken, refreshToken, created, expiry }: Token) {
  return { accessToken, refreshToken, created: seconds(created), expiry: seconds(expiry) };
}

function seconds(date: Date): bigint {
  return BigInt(Math.floor(date.getTime() / 1000));
}
