import type { KeyObject } from "node:crypto";
import { formatPath } from "@microts/blocks/config";
import { MicroError } from "@microts/core";
import { decrypt, encrypt } from "./cipher.ts";
import type { SealedLeaf } from "./document.ts";
import type { DataKeys, Keyring } from "./keyring.ts";

const form = "1";
const at = "config.Config.Get";

/** The secret was sealed with a key that these data keys don't have: they, or the document, are older than the other. */
export class StaleKeys extends Error {}

/**
 * A value as it stands in the document: `1.<data key's id>.<nonce, ciphertext and tag in base64url>`. It opens only at its namespace and path, and beside
 * the version it was sealed with.
 */
export function sealSecret(
  key: { readonly id: string; readonly key: KeyObject },
  namespace: string,
  path: readonly string[],
  text: string,
  version: number,
): SealedLeaf {
  const sealed = encrypt(key.key, placeOf(key.id, namespace, path, version), Buffer.from(text));
  return { s: `${form}.${key.id}.${sealed.toString("base64url")}`, n: version };
}

/** The id of the data key that a secret was sealed with. */
export function keyIdOf({ s }: SealedLeaf): string | undefined {
  return s.split(".")[1];
}

/** Throws 412 without the key it was sealed with, 500 when it was changed or moved, and StaleKeys. */
export function openSecret(
  keyring: Keyring,
  keys: DataKeys,
  namespace: string,
  path: readonly string[],
  { s, n }: SealedLeaf,
): string {
  const [found, keyId, data, ...more] = s.split(".");
  if (found !== form || keyId === undefined || data === undefined || more.length > 0) throw damaged(path);
  if (!keys.has(keyId)) throw new StaleKeys();
  const key = keys.find(keyId);
  if (key === undefined) throw keyring.isDamaged(keys, keyId) ? damaged(path) : keyring.sealed(at);
  const bytes = Buffer.from(data, "base64url");
  if (bytes.toString("base64url") !== data) throw damaged(path);
  const text = decrypt(key, placeOf(keyId, namespace, path, n), bytes);
  if (text === undefined) throw damaged(path);
  return text.toString();
}

function placeOf(keyId: string, namespace: string, path: readonly string[], version: number): readonly unknown[] {
  return ["config secret", form, keyId, namespace, version, ...path];
}

/** The secret at a path can't be had any more. */
export function damaged(path: readonly string[]): MicroError {
  const name = formatPath(path);
  return MicroError.internal(
    at,
    `the secret at "${name}" can't be opened: it or its key was damaged, or it was moved here. Set it again: micro config set --secret ${name}`,
  );
}
