import { MicroError } from "@microts/core";
import type { NewAccount, Rule } from "./driver.ts";

/** In UTF-8 bytes. */
const maxSecretBytes = 1024;
const maxIdBytes = 128;
const maxScopesBytes = 2048;
const maxMetadataBytes = 4096;

/** Returns an account's or rule's id in Unicode NFC: 1 to 128 bytes without control characters or space at an end. Throws 400. */
export function checkId(text: string, what: string, at: string): string {
  if (text === "") throw MicroError.badRequest(at, `${what} required`);
  const id = text.normalize("NFC");
  if (Buffer.byteLength(id) > maxIdBytes)
    throw MicroError.badRequest(at, `${what} too long: at most ${maxIdBytes} bytes`);
  if (/\p{C}|^\s|\s$/u.test(id)) {
    throw MicroError.badRequest(at, `${what} ${JSON.stringify(id)} has control characters, or space at its ends`);
  }
  return id;
}

/** Returns the secret: not blank and at most 1,024 bytes. Throws 400. */
export function checkSecret(secret: string, what: string, at: string): string {
  if (secret.trim() === "") throw MicroError.badRequest(at, `${what} should not be blank`);
  if (Buffer.byteLength(secret) > maxSecretBytes) {
    throw MicroError.badRequest(at, `${what} too long: at most ${maxSecretBytes} bytes`);
  }
  return secret;
}

/** Returns the account with id and name in NFC, or throws 400. */
export function checkAccount(account: NewAccount, at: string): NewAccount {
  const { type, scopes, metadata, secret } = account;
  if (!/^[a-z][a-z0-9-]{0,31}$/.test(type)) {
    throw MicroError.badRequest(
      at,
      `${JSON.stringify(type.slice(0, 40))} is not an account type: use "user" or "service"`,
    );
  }
  for (const scope of scopes) {
    if (!/^[^\p{C}\s]+$/u.test(scope) || scope === "*" || scope === "+") {
      throw MicroError.badRequest(
        at,
        `${JSON.stringify(scope.slice(0, 40))} is not a scope: it takes no space, and "*" and "+" have a meaning of their own`,
      );
    }
  }
  if (Buffer.byteLength(scopes.join()) > maxScopesBytes) {
    throw MicroError.badRequest(at, `too many scopes: at most ${maxScopesBytes} bytes in all`);
  }
  if (Buffer.byteLength(JSON.stringify(metadata)) > maxMetadataBytes) {
    throw MicroError.badRequest(at, `too much metadata: at most ${maxMetadataBytes} bytes as JSON`);
  }
  return {
    ...account,
    id: checkId(account.id, "ID", at),
    name: checkId(account.name, "Name", at),
    secret: checkSecret(secret, "Secret", at),
  };
}

/** Returns the rule, or throws 400. */
export function checkRule(rule: Rule, at: string): Rule {
  const { resource, scope, priority } = rule;
  const fields = [resource.type, resource.name, resource.endpoint];
  if (fields.some((field) => field === "")) {
    throw MicroError.badRequest(
      at,
      "Resource missing: it needs a type, a name and an endpoint, such as service:helloworld:*",
    );
  }
  if ([scope, ...fields].some((field) => Buffer.byteLength(field) > 256 || /[\p{C}\s]/u.test(field))) {
    throw MicroError.badRequest(
      at,
      "scope and resource take at most 256 bytes each, without space or control characters",
    );
  }
  if (!Number.isInteger(priority) || Math.abs(priority) > 0x7fffffff) {
    throw MicroError.badRequest(at, `priority ${priority} is not a whole number of 32 bits`);
  }
  return { ...rule, id: checkId(rule.id, "ID", at) };
}
